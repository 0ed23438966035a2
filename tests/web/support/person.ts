// Somebody who writes notes, past every proxy, and without a browser.
import { expect } from 'vitest'
import { until } from './wait.js'

/** Too many requests, overloaded. */
const LATER = [429, 503]

let fences = 0

export class Person {
  private cookie = ''

  private constructor(
    private readonly at: { origin: string },
    private readonly session: string,
  ) {}

  /** Signs in with the broker `at`; whoever takes its port is asked from then on. */
  static async signIn(at: { origin: string }, user: string, session = ''): Promise<Person> {
    const person = new Person({ origin: at.origin }, session)
    const response = await person.post('/api/login', { user })
    expect(response.status).toBe(200)
    person.cookie = response.headers.get('Set-Cookie')?.split(';')[0] ?? ''
    return person
  }

  /** Posts until it is answered, and not told to come back later, having done nothing. */
  async post(path: string, body: object = {}): Promise<Response> {
    const headers = { 'Content-Type': 'application/json', 'X-Session-Id': this.session, Cookie: this.cookie }
    return until('an answer', async () => {
      const sent = fetch(this.at.origin + path, { method: 'POST', headers, body: JSON.stringify(body) })
      const response = await sent.catch(() => undefined)
      return response && !LATER.includes(response.status) ? response : undefined
    })
  }

  /** Writes a note of each text to ada, one after the other. */
  async write(...texts: string[]): Promise<void> {
    for (const text of texts) {
      const { status } = await this.post('/api/notes', { text, to: ['ada'] })
      expect(status, text).toBe(201)
    }
  }

  /** Has everybody told something, which arrives behind all that was written before. Returns its name. */
  async fence(): Promise<string> {
    const name = `fence${++fences}`
    const { status } = await this.post(`/api/fences/${name}`)
    expect(status).toBe(204)
    return name
  }
}
