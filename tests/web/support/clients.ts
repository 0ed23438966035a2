// Clients of the event stream that know nothing of Pillar: a browser's own EventSource, the npm package of that name, curl.
import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { EventSource } from 'eventsource'
import type { Broker } from './broker.js'
import type { World } from './world.js'

export interface Message {
  name: string
  /** The client's last id behind it. */
  id: string
  data: Record<string, unknown>
}

/** A client that listens as Ada. */
export interface Listener {
  messages(): Promise<Message[]>
  close(): Promise<void>
}

export interface At {
  /** Where the stream is. */
  at: { origin: string }
  /** Where one signs in. */
  broker: Broker
  session: string
}

type Open = (world: World, at: At) => Promise<Listener>

const NAMES = ['ready', 'sync', 'resync'] as const

/** The address of the stream. */
export const urlOf = ({ at, session }: Pick<At, 'at' | 'session'>): string =>
  `${at.origin}/api/events?sessionId=${session}`

/** What signs somebody in, for a client that sends headers. */
export async function cookieOf(broker: Broker, user: string): Promise<string> {
  const answer = await fetch(`${broker.origin}/api/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ user }),
  })
  return answer.headers.get('set-cookie')?.split(';')[0] ?? ''
}

async function native(world: World, { at, session }: At): Promise<Listener> {
  const tab = await world.tab(at, 'ada', session)
  await tab.listen()
  return {
    messages: async () => (await tab.heard()).flatMap((one) => (one.name === 'error' ? [] : [one])),
    close: async () => {}, // the page ends with the test
  }
}

async function npm(_world: World, at: At): Promise<Listener> {
  const cookie = await cookieOf(at.broker, 'ada')
  const messages: Message[] = []
  const source = new EventSource(urlOf(at), {
    fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, Cookie: cookie } }),
  })
  for (const name of NAMES) {
    source.addEventListener(name, ({ lastEventId: id, data }) => messages.push({ name, id, data: JSON.parse(data) }))
  }
  return { messages: async () => messages, close: async () => source.close() }
}

/** curl, and what it tells. */
export class Curl {
  readonly messages: Message[] = []
  /** What the stream said last, and what it asks for. */
  id = ''
  retryMs = 1000
  private readonly fields = new Map<string, string>()
  private process: ChildProcess | undefined
  private closed = false

  constructor(
    private readonly url: string,
    private readonly cookie: string,
  ) {}

  /** Comes back with the last id whenever the stream has ended, as a shell script would. */
  async listen(): Promise<void> {
    while (!this.closed) {
      await this.request()
      await sleep(this.retryMs)
    }
  }

  /** Resolves with the status of curl. */
  request(): Promise<number | null> {
    const headers = [`Cookie: ${this.cookie}`, ...(this.id === '' ? [] : [`Last-Event-ID: ${this.id}`])]
    const args = ['--silent', '--no-buffer', '--fail', ...headers.flatMap((header) => ['--header', header]), this.url]
    const process = spawn('curl', args, { stdio: ['ignore', 'pipe', 'ignore'] })
    this.process = process
    this.fields.clear() // what came in part does not count
    createInterface(process.stdout).on('line', (line) => this.take(line))
    return new Promise((resolve) => process.on('close', resolve))
  }

  close(): void {
    this.closed = true
    this.process?.kill()
  }

  private take(line: string): void {
    const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/.exec(line) ?? []
    if (line !== '') this.fields.set(name, value)
    else this.dispatch()
  }

  private dispatch(): void {
    const { id, event, data, retry } = Object.fromEntries(this.fields)
    this.fields.clear()
    if (retry !== undefined) this.retryMs = Number(retry)
    if (id !== undefined) this.id = id
    if (event !== undefined && data !== undefined)
      this.messages.push({ name: event, id: this.id, data: JSON.parse(data) })
  }
}

async function curl(_world: World, at: At): Promise<Listener> {
  const client = new Curl(urlOf(at), await cookieOf(at.broker, 'ada'))
  const ended = client.listen()
  return {
    messages: async () => client.messages,
    async close() {
      client.close()
      await ended
    },
  }
}

export const clients: Record<string, Open> = {
  'the EventSource of a browser': native,
  'the npm package eventsource': npm,
  curl,
}
