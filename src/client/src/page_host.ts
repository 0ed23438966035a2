// The Host that a page is.
import { Feed } from './feed.js'
import type { Host, Wake } from './host.js'
import { randomId } from './random.js'
import type { Settings } from './settings.js'
import type { Release, SyncEventMap } from './types.js'

export class PageHost implements Host {
  readonly sessionId = typeof window === 'undefined' ? '' : randomId()
  readonly scope
  readonly fetch
  readonly credentials
  readonly feed: Feed = new Feed(this)
  /** What `on` listens to; the same is told to the window. */
  readonly target = new EventTarget()
  private readonly wakes = new Set<Wake>()
  private refreshing: Promise<boolean> | undefined

  constructor(
    private readonly settings: Settings,
    readonly signal: AbortSignal,
  ) {
    this.scope = settings.scope
    this.fetch = settings.fetch
    this.credentials = settings.credentials
  }

  userId(): string | undefined {
    return this.feed.userId
  }

  async headers(): Promise<Headers> {
    return new Headers(await this.settings.headers())
  }

  refresh(): Promise<boolean> {
    const renew = async (): Promise<boolean> => {
      try {
        return await this.settings.refresh()
      } catch {
        return false
      } finally {
        this.refreshing = undefined
      }
    }
    return (this.refreshing ??= renew())
  }

  expired(): void {
    this.feed.deny()
  }

  /** A handler that throws stops no other one: the browser reports it, and goes on. */
  tell<Name extends keyof SyncEventMap>(name: Name, detail: SyncEventMap[Name]['detail']): void {
    for (const target of [this.target, globalThis]) target.dispatchEvent(new CustomEvent(name, { detail }))
  }

  onWake(wake: Wake): Release {
    this.wakes.add(wake)
    return () => this.wakes.delete(wake)
  }

  wake(): void {
    for (const wake of this.wakes) wake()
  }
}
