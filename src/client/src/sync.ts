// What a page has: a stream, and a queue.
import { Link } from './link.js'
import { PageHost } from './page_host.js'
import { createQueue } from './queue/queue.js'
import { withDefaults, type Settings } from './settings.js'
import type { EventHandler, Release, Sync, SyncEvent, SyncOptions, SyncStatus } from './types.js'
import { onWakes } from './wakes.js'

/** On a server, where there is no window, all of it does nothing, and `offlineFetch` is `fetch`. */
export function createSync(options: SyncOptions = {}): Sync {
  return new PageSync(withDefaults(options))
}

class PageSync implements Sync {
  readonly offlineFetch: typeof fetch
  readonly queue
  private readonly closing = new AbortController()
  private readonly host: PageHost
  private readonly link: Link | undefined
  /** How many have called `connect`, and not released it yet. */
  private users = 0

  constructor(settings: Settings) {
    const isPage = typeof window !== 'undefined'
    this.host = new PageHost(settings, this.closing.signal)
    this.queue = createQueue(this.host, isPage ? settings.queue : false)
    this.offlineFetch = this.queue.offlineFetch
    if (isPage) this.link = this.listen(new Link(this.host, settings))
  }

  get sessionId(): string {
    return this.host.sessionId
  }

  get status(): SyncStatus {
    return this.host.feed.status
  }

  get userId(): string | undefined {
    return this.host.userId()
  }

  connect(position?: string | null): Release {
    if (this.users++ === 0) this.link?.start(position ?? undefined)
    let release = (): void => {
      release = () => {}
      // React mounts some components twice: whoever comes again at once finds the stream open.
      setTimeout(() => --this.users === 0 && this.link?.stop())
    }
    return () => release()
  }

  on<Data = unknown>(entity: string | readonly string[], handler: EventHandler<Data>): Release {
    const names = [entity].flat()
    const off = new AbortController()
    const listen = (name: 'pillar:sync' | 'pillar:resync', hear: (event: CustomEvent) => void): void =>
      this.host.target.addEventListener(name, hear as EventListener, { signal: off.signal })
    listen('pillar:sync', ({ detail }: CustomEvent<SyncEvent<Data>>) => {
      if (names.includes(detail.entity) || names.includes('*')) handler(detail)
    })
    listen('pillar:resync', () => handler({ entity: typeof entity === 'string' ? entity : '*', action: 'resync' }))
    return () => off.abort()
  }

  close(): void {
    this.link?.stop()
    this.queue.close()
    this.closing.abort()
  }

  /** What happens to the page, and makes a difference to the stream. */
  private listen(link: Link): Link {
    const { host, closing } = this
    const { signal } = closing
    onWakes(() => host.wake(), signal)
    host.onWake(() => {
      host.feed.show()
      link.wake()
    })
    addEventListener(
      'offline',
      () => {
        link.cut()
        host.feed.show()
      },
      { signal },
    )
    // A page that goes lets go of the stream at once, so that another tab can take it; it may be shown again.
    addEventListener('pagehide', () => link.stop(), { signal })
    addEventListener('pageshow', ({ persisted }) => persisted && this.users > 0 && link.start(undefined), { signal })
    return link
  }
}
