// A tab on the page of apps/offline: it sends changes by offlineFetch.
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import type { Entry, Failure, PageOptions, Reply, Told } from './offline_page.js'
import { until } from './wait.js'

type Names = Told['name']
type Detail<Name extends Names> = Extract<Told, { name: Name }>['detail']

export class Desk {
  constructor(readonly page: Page) {}

  /** Loads the page, with a Sync made like this. */
  async open(origin: string, options: PageOptions = {}): Promise<this> {
    await this.page.goto('about:blank') // another fragment alone loads nothing
    await this.page.goto(`${origin}/#${encodeURIComponent(JSON.stringify(options))}`)
    await this.ready()
    return this
  }

  async reload(): Promise<void> {
    await this.page.reload()
    await this.ready()
  }

  async signIn(user: string): Promise<void> {
    expect(await this.page.evaluate((user) => window.signIn(user), user)).toBe(200)
  }

  /** One more tab of the same browser. */
  async sibling(): Promise<Desk> {
    return new Desk(await this.page.context().newPage())
  }

  async offline(is = true): Promise<void> {
    await this.page.context().setOffline(is)
    await this.page.waitForFunction((is) => navigator.onLine !== is, is)
  }

  async ask(method: string, path: string, body?: object, init?: RequestInit): Promise<Reply> {
    return this.page.evaluate(({ method, path, body, init }) => window.ask(method, path, body, init), {
      method,
      path,
      body,
      init,
    })
  }

  async create(title: string, more: object = {}): Promise<Reply> {
    return this.ask('POST', '/api/rows', { title, ...more })
  }

  async told<Name extends Names>(name: Name): Promise<Detail<Name>[]> {
    const all = await this.page.evaluate(() => window.told)
    return all.filter((one) => one.name === name).map(({ detail }) => detail as Detail<Name>)
  }

  /** Waits until it was told so many. */
  async untilTold<Name extends Names>(name: Name, count = 1): Promise<Detail<Name>[]> {
    return until(
      `${count} of pillar:${name}`,
      async () => {
        const all = await this.told(name)
        return all.length >= count && all
      },
      () => this.state(),
    )
  }

  async counts(): Promise<{ length: number; failed: number }> {
    return this.page.evaluate(() => ({ length: window.sync.queue.length, failed: window.sync.queue.failed }))
  }

  async untilCounts(length: number, failed = 0): Promise<void> {
    await until(
      `a queue of ${length}, and ${failed} failed`,
      async () => {
        const now = await this.counts()
        return now.length === length && now.failed === failed
      },
      () => this.state(),
    )
  }

  get origin(): string {
    return new URL(this.page.url()).origin
  }

  async close(): Promise<void> {
    await this.page.close()
  }

  async userId(): Promise<string | undefined> {
    return this.page.evaluate(() => window.sync.userId)
  }

  /** Waits until its stream has said who it is. */
  async untilLive(user = 'ada'): Promise<void> {
    await until(`the stream of ${user}`, async () => (await this.userId()) === user)
  }

  async untilStatus(status: string): Promise<void> {
    await this.page.waitForFunction((status) => window.sync.status === status, status)
  }

  /** What waits, of all tabs. */
  async waiting(): Promise<Entry[]> {
    return this.page.evaluate(() => window.waiting())
  }

  /** Has the page load without a network from now on. */
  async keepPage(): Promise<void> {
    await this.page.evaluate(() => window.keepPage())
  }

  /** What a look at the page does. */
  async wake(): Promise<void> {
    await this.page.evaluate(() => dispatchEvent(new Event('focus')))
  }

  async flush(): Promise<void> {
    await this.page.evaluate(() => window.sync.queue.flush())
  }

  async failures(): Promise<Failure[]> {
    return this.page.evaluate(() => window.failures())
  }

  async reasons(): Promise<string[]> {
    return (await this.failures()).map(({ reason }) => reason)
  }

  private async ready(): Promise<void> {
    await this.page.waitForFunction(() => 'ask' in window)
  }

  private async state(): Promise<string> {
    const [waiting, told] = await this.page.evaluate(async () => [await window.waiting(), window.told])
    return JSON.stringify({ waiting, told }, null, 1)
  }
}

/** What a test asks the server itself. */
export class Office {
  private constructor(
    private readonly origin: string,
    private readonly cookie: string,
  ) {}

  static async at(origin: string): Promise<Office> {
    const answer = await fetch(`${origin}/api/login`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ user: 'office' }),
    })
    return new Office(origin, (answer.headers.get('Set-Cookie') ?? '').split(';', 1).join())
  }

  async get<T>(path: string): Promise<T> {
    return (await fetch(this.origin + path, { headers: { Cookie: this.cookie } })).json() as Promise<T>
  }

  /** Each change that was made, in order. */
  async log(): Promise<string[]> {
    return this.get('/api/log')
  }

  async rows(): Promise<Record<string, unknown>[]> {
    return this.get('/api/rows')
  }
}
