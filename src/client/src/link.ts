// The page's link to the stream, shared or its own: it is there from `start` to `stop`, and takes up where it was.
import { connect } from './connection.js'
import { openNativeStream } from './native_stream.js'
import type { PageHost } from './page_host.js'
import { randomId } from './random.js'
import type { Settings } from './settings.js'
import { openStream, type StreamRequest } from './stream.js'
import { joinTabs, type Tabs } from './tabs.js'

export interface Link {
  /**
   * `position`: all that has happened since is told. Otherwise, what has happened since `stop`, or the page's last load. If it
   * has been started, it is woken.
   */
  start(position?: string | null): void
  stop(): void
  /** See `Connection`. */
  wake(): void
  cut(): void
  reopen(): void
}

export function createLink({ sessionId, headers, refresh, feed, signal }: PageHost, settings: Settings): Link {
  const { entities, scope, credentials, fetch } = settings
  const url = new URL(settings.url, document.baseURI)
  if (entities.length > 0) url.searchParams.set('entities', entities.join())
  const name = `pillar 1 ${url.href} ${scope}`
  const share = settings.share && 'locks' in navigator && 'BroadcastChannel' in window
  const heartbeats = typeof ReadableStream === 'function' && 'body' in Response.prototype
  let running: AbortController | undefined
  let tabs: Tabs | undefined

  async function request(): Promise<Omit<StreamRequest, 'lastId'>> {
    const to = new URL(url)
    // A service worker that keeps what it fetches must not answer with a stream of last week.
    to.searchParams.set('nonce', randomId())
    // The broker withholds a tab's echo from its own stream. One for all tabs brings it, and each tab leaves out its own.
    if (!share) to.searchParams.set('sessionId', sessionId)
    return { url: to, headers: await headers(), credentials, fetch }
  }

  const options = { ...settings, heartbeats, open: heartbeats ? openStream : openNativeStream, request, refresh }

  return {
    start(position) {
      if (tabs || signal.aborted) return tabs?.wake()
      running = new AbortController()
      tabs = joinTabs(
        { name, share, tab: randomId(), connect: (...rest) => connect(options, ...rest) },
        position ?? load(name),
        feed,
        running.signal,
      )
    },
    stop() {
      save(name, tabs?.seen())
      running?.abort()
      tabs = undefined
    },
    wake: () => tabs?.wake(),
    cut: () => tabs?.cut(),
    reopen: () => tabs?.reopen(),
  }
}

// Where a tab is, for when its page is loaded anew. Where nothing may be stored, it begins where it is loaded.

function save(name: string, seen: string | undefined): void {
  try {
    if (seen !== undefined) sessionStorage.setItem(name, seen)
  } catch {
    // nothing to be done
  }
}

function load(name: string): string | undefined {
  try {
    return sessionStorage.getItem(name) ?? undefined
  } catch {
    return undefined
  }
}
