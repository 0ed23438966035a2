// A tab of somebody who is signed in, on a page that listens to the broker's events.
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import type { Answer, Heard } from './page.js'
import { until } from './wait.js'

/** What readyState may be (HTML, section 9.2). */
const OPEN = 1
const CLOSED = 2

/** Too many requests, overloaded. */
const LATER = [429, 503]

let fences = 0

export class Tab {
  constructor(
    private readonly page: Page,
    readonly session: string,
  ) {}

  get closed(): boolean {
    return this.page.isClosed()
  }

  async signIn(user: string): Promise<void> {
    expect(await this.insist('POST', '/api/login', { user })).toMatchObject({ status: 200 })
  }

  /** Opens the page's EventSource, and waits until it is open. */
  async listen(): Promise<this> {
    await this.page.evaluate((session) => window.listen(session), this.session)
    await this.until('ready', (heard) => heard.some(({ name }) => name === 'ready'))
    return this
  }

  async stopListening(): Promise<void> {
    await this.page.evaluate(() => window.stopListening())
  }

  async heard(): Promise<Heard[]> {
    return this.page.evaluate(() => window.heard)
  }

  async readyState(): Promise<number | undefined> {
    return this.page.evaluate(() => window.readyState())
  }

  /** How often its EventSource was told that the connection is gone, or not to be had. */
  async errors(): Promise<number> {
    return (await this.heard()).filter(({ name }) => name === 'error').length
  }

  /** Waits until it has heard what `look` looks for. Fails at once when its EventSource gives up. */
  async until(what: string, look: (heard: Heard[]) => boolean): Promise<void> {
    const tell = async (): Promise<string> => JSON.stringify(await this.heard(), null, 1)
    await until(
      `${this.session} to hear ${what}`,
      async () => {
        const heard = await this.heard()
        const found = look(heard)
        if (!found && gaveUp(heard)) throw new Error(`the EventSource has given up\n${await tell()}`)
        return found
      },
      tell,
    )
  }

  /** Waits until it has that often lost its connection, or failed to get one. */
  async untilErrors(count: number): Promise<void> {
    await this.until(`${count} errors`, (heard) => heard.filter(({ name }) => name === 'error').length >= count)
  }

  async untilText(text: string): Promise<void> {
    await this.until(text, (heard) => texts(heard).includes(text))
  }

  /** Sends by the page's fetch; rejects when no answer comes. */
  async send(method: string, path: string, body?: object): Promise<Answer> {
    return this.page.evaluate(({ session, method, path, body }) => window.send(method, path, session, body), {
      session: this.session,
      method,
      path,
      body,
    })
  }

  /** Writes a note of each text to ada, one after the other. */
  async write(...all: string[]): Promise<void> {
    for (const text of all) {
      const answer = await this.insist('POST', '/api/notes', { text, to: ['ada'] })
      expect(answer, text).toMatchObject({ status: 201 })
    }
  }

  /** Asks until it is not told to come back later, having done nothing. */
  async insist(method: string, path: string, body?: object): Promise<Answer> {
    return until('an answer', async () => {
      const answer = await this.send(method, path, body)
      return LATER.includes(answer.status) ? undefined : answer
    })
  }

  /**
   * Asserts that these notes, in this order, are all that it has heard, and these the reasons of all its `resync`: with
   * ids that grow, and an EventSource that never gave up. `by` emits what arrives behind everything else.
   */
  async expectHeard(by: Tab, notes: string[], resyncs: string[] = []): Promise<void> {
    const name = `fence${++fences}`
    expect(await by.insist('POST', `/api/fences/${name}`)).toMatchObject({ status: 204 })
    await this.until(name, (heard) => heard.some((one) => 'data' in one && one.data['action'] === name))
    const heard = await this.heard()
    expect(texts(heard)).toEqual(notes)
    expect(named(heard, 'resync').map(({ data }) => data['reason'])).toEqual(resyncs)
    expect(named(heard, 'message')).toEqual([])
    expectGrowing(
      named(heard, 'sync').map(({ id }) => id),
      resyncs.filter((reason) => reason === 'generation').length,
    )
    expect(gaveUp(heard)).toBe(false)
    expect(await this.readyState()).toBe(OPEN)
  }
}

export function gaveUp(heard: Heard[]): boolean {
  return heard.some((one) => 'readyState' in one && one.readyState === CLOSED)
}

type Message = Exclude<Heard, { name: 'error' }>

function named(heard: Heard[], name: Message['name']): Message[] {
  return heard.filter((one): one is Message => one.name === name)
}

function texts(heard: Heard[]): string[] {
  return named(heard, 'sync')
    .filter(({ data }) => data['entity'] === 'note')
    .map(({ data }) => (data['data'] as { text: string }).text)
}

/** Ids are opaque to clients; a test may know that they are a generation and a number that grows in it. */
function expectGrowing(ids: string[], changes: number): void {
  const numbers = new Map<string, number[]>()
  for (const id of ids) {
    const [generation = '', number] = id.split('-')
    numbers.set(generation, [...(numbers.get(generation) ?? []), Number(number)])
  }
  expect(numbers.size).toBe(1 + changes)
  for (const some of numbers.values()) expect(some).toEqual([...new Set(some)].sort((a, b) => a - b))
}
