// What a page has: a stream, and a queue.
import { createLink, type Link } from './link.js'
import { createHost, type PageHost } from './page_host.js'
import { plainQueue } from './queue/plain.js'
import { withDefaults } from './settings.js'
import type { EventHandler, Release, Sync, SyncEvent, SyncOptions } from './types.js'

/** On a server, where there is no window, all of it does nothing, and `offlineFetch` is `fetch`. */
export function createSync(options: SyncOptions = {}): Sync {
  const isPage = typeof window !== 'undefined'
  const settings = withDefaults(options)
  const closing = new AbortController()
  const host = createHost(settings, closing.signal)
  const queue = (isPage && settings.queue ? settings.queue : plainQueue)(host)
  const link = isPage ? createLink(host, settings) : undefined
  /** How many have called `connect`, and not released it yet. */
  let users = 0
  if (link) watchPage(host, link, () => users > 0)

  return {
    sessionId: host.sessionId,
    queue,
    offlineFetch: queue.offlineFetch,
    get status() {
      return host.feed.status()
    },
    get userId() {
      return host.userId()
    },
    connect(position) {
      users++
      link?.start(position)
      // React mounts some components twice: whoever comes again at once finds the stream open.
      return once(() => setTimeout(() => --users === 0 && link?.stop()))
    },
    reconnect: () => link?.reopen(),
    on: (entity, handler) => subscribe(host.target, entity, handler),
    close() {
      link?.stop()
      queue.close()
      closing.abort()
    },
  }
}

function once(act: () => void): Release {
  return () => {
    act()
    act = () => {}
  }
}

function subscribe<Data>(
  target: EventTarget,
  entity: string | readonly string[],
  handler: EventHandler<Data>,
): Release {
  const off = new AbortController()
  const names = [entity].flat()
  const listen = (name: string, hear: (detail: SyncEvent<Data>) => void): void =>
    target.addEventListener(name, (event) => hear((event as CustomEvent<SyncEvent<Data>>).detail), off)
  listen('pillar:sync', (event) => (names.includes(event.entity) || names.includes('*')) && handler(event))
  listen('pillar:resync', () => handler({ entity: typeof entity === 'string' ? entity : '*', action: 'resync' }))
  return () => off.abort()
}

const RENEW_PAUSE = 30_000

/** What happens to the page, and makes a difference to the stream and the queue. */
function watchPage(host: PageHost, link: Link, isWanted: () => boolean): void {
  const { signal, feed, wake, onWake } = host
  const listen = <Name extends keyof WindowEventMap>(name: Name, hear: (event: WindowEventMap[Name]) => void): void =>
    addEventListener(name, hear, { signal })
  listen('online', wake)
  listen('focus', wake)
  listen('offline', () => {
    link.cut()
    feed.show()
  })
  // A stream that was opened before the sign-in ended may go on for another user than the next one. If it is opened as it was,
  // while changes are refused, there is no use in doing so again and again.
  let renewedAt = 0
  listen('pillar:status', ({ detail: { status } }) => {
    if (status !== 'expired' || Date.now() < renewedAt + RENEW_PAUSE) return
    renewedAt = Date.now()
    link.cut()
  })
  // A page that goes, or is put to sleep, lets go of the stream at once, so that another tab can take it; it may come back.
  const comeBack = (): void => void (isWanted() && link.start())
  listen('pagehide', link.stop)
  listen('pageshow', comeBack)
  document.addEventListener('freeze', link.stop, { signal })
  document.addEventListener('resume', comeBack, { signal })
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && wake(), { signal })
  onWake(() => {
    feed.show()
    link.wake()
  })
  host.reached = () => void (feed.status() === 'connecting' && link.wake())
}
