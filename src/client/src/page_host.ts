// The Host that a page is.
import { createFeed, type Feed } from './feed.js'
import type { Host, Wake } from './host.js'
import { randomId } from './random.js'
import type { Settings } from './settings.js'
import { aborted } from './timer.js'

export interface PageHost extends Host {
  readonly feed: Feed
  /** What `on` listens to; the same is told to the window. */
  readonly target: EventTarget
  wake(): void
}

export function createHost(settings: Settings, signal: AbortSignal): PageHost {
  const { scope, fetch, credentials, headers, refresh, readyTimeout } = settings
  const wakes = new Set<Wake>()
  const target = new EventTarget()
  let refreshing: Promise<boolean> | undefined

  /** One that does not answer has not worked: the queues of all tabs wait for it. */
  async function renew(): Promise<boolean> {
    try {
      return await Promise.race([refresh(), aborted(AbortSignal.timeout(readyTimeout))])
    } catch {
      return false
    }
  }

  const sessionId = typeof window === 'undefined' ? '' : randomId()
  /** A handler that throws stops no other one: the browser reports it, and goes on. */
  const tell: Host['tell'] = (name, detail) => {
    for (const to of [target, window]) to.dispatchEvent(new CustomEvent(name, { detail }))
  }
  const wake = (): void => wakes.forEach((one) => one())
  const feed = createFeed({ sessionId, tell }, wake)

  return {
    sessionId,
    signal,
    scope,
    fetch,
    credentials,
    feed,
    target,
    tell,
    userId: feed.userId,
    owner: feed.owner,
    isForgotten: feed.isForgotten,
    expired: feed.deny,
    reached() {},
    headers: async () => new Headers(await headers()),
    refresh: () => (refreshing ??= renew().finally(() => (refreshing = undefined))),
    wake,
    onWake(one) {
      wakes.add(one)
      return () => wakes.delete(one)
    },
  }
}
