// A tab with the client: on the page sync.html, in which somebody is signed in.
import type { CDPSession, Page } from 'playwright-core'
import { expect } from 'vitest'
import type { SyncStatus } from '../../../src/client/src/types.js'
import type { LiveAnswer, LiveDetails, LiveEntry, LiveOptions, LivePage } from './live_page.js'
import type { Person } from './person.js'
import { until } from './wait.js'

/** So that tests need not wait for long. */
export const QUICK: LiveOptions = { retryMin: 20, retryMax: 60 }

export class Live {
  constructor(
    readonly page: Page,
    private readonly origin: string,
  ) {}

  /** Loads the page. */
  async open(): Promise<this> {
    await this.page.goto(`${this.origin}/sync.html`)
    await this.page.waitForFunction(() => 'live' in window)
    return this
  }

  async signIn(user: string, maxAge?: number): Promise<this> {
    const answer = await this.send('POST', '/api/login', { user, ...(maxAge !== undefined && { maxAge }) })
    expect(answer).toMatchObject({ status: 200 })
    return this
  }

  /** Makes the page's Sync, and connects it. */
  async begin(options: LiveOptions = {}, position?: string): Promise<this> {
    await this.page.evaluate(
      ({ options, position }) => {
        window.live.create(options)
        window.live.connect(position)
      },
      { options: { ...QUICK, ...options }, position },
    )
    return this
  }

  /** Loads the page anew; what it had noted is gone. */
  async reload(): Promise<this> {
    await this.page.reload()
    await this.page.waitForFunction(() => 'live' in window)
    return this
  }

  /** One more tab of the same browser, not loaded yet. */
  async sibling(): Promise<Live> {
    return new Live(await this.page.context().newPage(), this.origin)
  }

  async call(method: 'connect' | 'release' | 'close'): Promise<void> {
    await this.page.evaluate((method) => window.live[method](), method)
  }

  /** Dispatches an event of this name at the window, as a browser does. */
  async happen(...names: string[]): Promise<void> {
    await this.page.evaluate((names) => names.forEach((name) => window.dispatchEvent(new Event(name))), names)
  }

  async send(method: string, path: string, body?: object): Promise<LiveAnswer> {
    return this.page.evaluate(({ method, path, body }) => window.live.send(method, path, body), { method, path, body })
  }

  async write(...texts: string[]): Promise<void> {
    for (const text of texts) {
      expect(await this.send('POST', '/api/notes', { text, to: ['ada'] }), text).toMatchObject({ status: 201 })
    }
  }

  async state(): Promise<ReturnType<LivePage['state']>> {
    return this.page.evaluate(() => window.live.state())
  }

  async log(): Promise<LiveEntry[]> {
    return this.page.evaluate(() => window.live.log)
  }

  async texts(): Promise<string[]> {
    return texts(await this.log())
  }

  /** All that was told under this name. */
  async told<Name extends keyof LiveDetails>(name: Name): Promise<LiveDetails[Name][]> {
    return details(await this.log(), name)
  }

  async statuses(): Promise<SyncStatus[]> {
    return (await this.told('pillar:status')).map(({ status }) => status)
  }

  async until(what: string, look: (log: LiveEntry[]) => unknown): Promise<void> {
    await until(
      what,
      async () => look(await this.log()),
      async () => JSON.stringify([await this.state(), await this.log()], null, 1),
    )
  }

  async untilStatus(status: SyncStatus): Promise<this> {
    await until(
      `status ${status}`,
      async () => (await this.state()).status === status,
      async () => JSON.stringify([await this.state(), await this.log()], null, 1),
    )
    return this
  }

  async untilText(text: string): Promise<void> {
    await this.until(text, (log) => texts(log).includes(text))
  }

  async untilResync(reason: string): Promise<void> {
    await this.until(`resync ${reason}`, (log) => reasons(log).includes(reason))
  }

  /**
   * Asserts that these notes, in this order, are all that its window and its handler have heard, and these the reasons of
   * all that told them to fetch anew.
   */
  async expectHeard(by: Person, notes: string[], resyncs: string[] = []): Promise<void> {
    await this.expectHeardUpTo(await by.fence(), notes, resyncs)
  }

  /** The same, where several tabs wait for one fence. */
  async expectHeardUpTo(fence: string, notes: string[], resyncs: string[] = []): Promise<void> {
    await this.until(fence, (log) => details(log, 'pillar:sync').some(({ action }) => action === fence))
    const log = await this.log()
    expect(texts(log)).toEqual(notes)
    expect(reasons(log).filter((reason) => reason !== 'start')).toEqual(resyncs)
    const handled = details(log, 'on')
    expect(handled.filter(({ entity }) => entity === 'note').map(({ data }) => data?.text)).toEqual(notes)
    expect(handled.filter(({ action }) => action === 'resync').length).toBe(reasons(log).length)
    expect((await this.state()).status).toBe('live')
  }

  cdp(): Promise<CDPSession> {
    return this.page.context().newCDPSession(this.page)
  }
}

export function texts(log: LiveEntry[]): string[] {
  return details(log, 'pillar:sync')
    .filter(({ entity }) => entity === 'note')
    .map(({ data }) => data?.text ?? '')
}

export function reasons(log: LiveEntry[]): string[] {
  return details(log, 'pillar:resync').map(({ reason }) => reason)
}

function details<Name extends keyof LiveDetails>(log: LiveEntry[], name: Name): LiveDetails[Name][] {
  return log.filter((entry) => entry.name === name).map(({ detail }) => detail as LiveDetails[Name])
}
