// The page's link to the stream, shared or its own: it is there from `start` to `stop`, and takes up where it was.
import { Connection, type ConnectionSink } from './connection.js'
import { openNativeStream } from './native_stream.js'
import type { PageHost } from './page_host.js'
import { randomId } from './random.js'
import type { Settings } from './settings.js'
import { openStream, type StreamRequest } from './stream.js'
import { Tabs } from './tabs.js'

const hasStreams = (): boolean => typeof ReadableStream === 'function' && 'body' in Response.prototype
const canShare = (): boolean => 'locks' in navigator && 'BroadcastChannel' in globalThis

export class Link {
  private running: AbortController | undefined
  private tabs: Tabs | undefined
  /** Where streams may be shared: among those that ask for the same. */
  private readonly name: string
  private readonly url: URL
  private readonly isShared: boolean

  constructor(
    private readonly host: PageHost,
    private readonly settings: Settings,
  ) {
    const { url, entities, scope, share } = settings
    this.url = new URL(url, document.baseURI)
    if (entities.length > 0) this.url.searchParams.set('entities', entities.join())
    this.name = `pillar ${this.url.href} ${scope}`
    this.isShared = share && canShare()
  }

  /** `position`: all that has happened since is told. Otherwise, what has happened since `stop`, or the page's last load. */
  start(position: string | undefined): void {
    const running = (this.running = new AbortController())
    const { name, isShared: share } = this
    const connect = (lastId: string | undefined, sink: ConnectionSink): Connection => this.connect(lastId, sink)
    const seen = position ?? this.load()
    this.tabs = new Tabs({ name, share, tab: randomId(), connect }, seen, this.host.feed, running.signal)
  }

  stop(): void {
    this.save()
    this.running?.abort()
    this.tabs = undefined
  }

  wake(): void {
    this.tabs?.wake()
  }

  cut(): void {
    this.tabs?.cut()
  }

  /** Notes where this tab is, for when its page is loaded anew. */
  private save(): void {
    const seen = this.tabs?.seen
    try {
      if (seen !== undefined) sessionStorage.setItem(this.name, seen)
    } catch {
      // Nothing may be stored here. Then a page that is loaded anew begins where it is loaded.
    }
  }

  private load(): string | undefined {
    try {
      return sessionStorage.getItem(this.name) ?? undefined
    } catch {
      return undefined
    }
  }

  private connect(lastId: string | undefined, sink: ConnectionSink): Connection {
    const { host, settings } = this
    const heartbeats = hasStreams()
    const options = {
      ...settings,
      heartbeats,
      open: heartbeats ? openStream : openNativeStream,
      request: () => this.request(),
      refresh: () => host.refresh(),
    }
    return new Connection(options, lastId, sink)
  }

  private async request(): Promise<Omit<StreamRequest, 'lastId'>> {
    const { credentials, fetch, sessionId } = this.host
    const url = new URL(this.url)
    // A service worker that keeps what it fetches must not answer with a stream of last week.
    url.searchParams.set('nonce', randomId())
    // The broker withholds a tab's echo from its own stream. One for all tabs brings it, and each tab leaves out its own.
    if (!this.isShared) url.searchParams.set('sessionId', sessionId)
    return { url, headers: await this.host.headers(), credentials, fetch }
  }
}
