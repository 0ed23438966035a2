// What the package takes and gives. The names are those of the wire, of C and of Lua.

import type { Host } from './host.js'

/** A change that somebody made, as the broker tells it. */
export interface SyncEvent<Data = unknown> {
  entity: string
  /**
   * "created", "updated", "deleted", "removed" (it has left the user's sight), or a word of the script's own. Handlers of
   * an entity, and hooks, also get "resync": what was missed cannot be told, so fetch anew.
   */
  action: string
  entityId?: string
  projectId?: string
  /** Who made it; missing for what the server made by itself. */
  userId?: string
  /** The tab that made it. */
  sessionId?: string
  /** Milliseconds since 1970. */
  timestamp?: number
  data?: Data
}

/**
 * `connecting`: there is no stream yet, or none any more, and one is being sought. `live`: the stream is open, and has
 * said `ready`. `offline`: the browser says that it has no network. `expired`: nobody is signed in.
 */
export type SyncStatus = 'connecting' | 'live' | 'offline' | 'expired'

export interface ResyncDetail {
  /**
   * The broker's (`trimmed`, `generation`, `ahead`, `lagged`, `malformed`), or the client's own: `start`, `user`,
   * `gap`, `unresumed`, `replayed`: queued changes were made, or refused; and `unknown-answer`: a change was made, and its
   * answer is lost.
   */
  reason: string
}

export interface ReconnectedDetail {
  /** True if what was missed is told; false if it may be lost, then `pillar:resync` follows. */
  resumed: boolean
}

export interface StatusDetail {
  status: SyncStatus
}

export interface QueueDetail {
  /** Changes that wait to be sent, of all tabs. */
  length: number
  /** Changes that were refused, and that nobody has dismissed yet. */
  failed: number
}

/** Why a change was not taken. */
export type FailureReason =
  /** The server answered with a 4xx that coming again does not help. */
  | 'refused'
  /** It failed with 500 and the like as often as `maxAttempts` allows. */
  | 'failing'
  /** It concerns a row whose creation was not taken. */
  | 'depends'
  /** It was sent long ago, its answer was lost, and the server may have forgotten its key: it may have been made. */
  | 'uncertain'

/** A change that waits in the queue, or was refused. */
export interface QueueEntry {
  /** Its place in the queue; they grow. */
  seq: number
  method: string
  url: string
  headers: [string, string][]
  body?: ArrayBuffer
  /** The `Idempotency-Key`, the same each time that it is sent. */
  key: string
  /** The tab that made it. */
  sessionId: string
  /** Who made it: it is sent as nobody else. Empty if that was not known. */
  userId: string
  /** Of a creation: the id that its synthetic answer gave. */
  tempId?: string
  /** Milliseconds since 1970. */
  queuedAt: number
  /** When it was sent for the first time. */
  sentAt?: number
  /** How often it was answered with 500 and the like, and is tried again. */
  attempts: number
}

/** An answer as it is kept and passed on between tabs. */
export interface StoredResponse {
  status: number
  headers: [string, string][]
  body: ArrayBuffer
}

export interface ReplayedDetail {
  entry: QueueEntry
  response: StoredResponse
  /** Of a creation: what its `tempId` is called from now on. */
  id?: string | number
}

export interface FailureDetail {
  entry: QueueEntry
  reason: FailureReason
  response?: StoredResponse
}

/** The events on `window`, by name. */
export interface SyncEventMap {
  'pillar:sync': CustomEvent<SyncEvent>
  'pillar:resync': CustomEvent<ResyncDetail>
  'pillar:reconnected': CustomEvent<ReconnectedDetail>
  'pillar:status': CustomEvent<StatusDetail>
  'pillar:queue': CustomEvent<QueueDetail>
  'pillar:replayed': CustomEvent<ReplayedDetail>
  'pillar:failure': CustomEvent<FailureDetail>
}

declare global {
  interface WindowEventMap extends SyncEventMap {}
}

export interface StreamOptions {
  /** Where the stream is. */
  url?: string
  /** Narrows the stream to these. */
  entities?: string[]
  /** Headers for each stream request and each replay, a token say. Called each time. Not with a native EventSource. */
  headers?: () => HeadersInit | Promise<HeadersInit>
  /** As that of `fetch`. */
  credentials?: RequestCredentials
  /**
   * Renews the sign-in, and says whether that worked. Called when the stream says that it will end (`expiring`), and
   * when a request is answered with 401.
   */
  refresh?: () => boolean | Promise<boolean>
  /** One stream for all tabs of the browser. */
  share?: boolean
  /** What tabs must have in common to share a stream and a queue, beside the URL: needed where tabs may be different users. */
  scope?: string
  /** How long a stream may take to say `ready`, and `refresh` to answer. Milliseconds. */
  readyTimeout?: number
  /** How long a stream may be silent, when it has not said how often it speaks. Milliseconds. */
  silenceTimeout?: number
  /** The first pause before coming back, unless the stream says another one by `retry:`. Milliseconds. */
  retryMin?: number
  /** The longest pause. Milliseconds. */
  retryMax?: number
}

export interface QueueOptions {
  /** Of the IndexedDB database. */
  name?: string
  /** How many changes may wait. */
  maxEntries?: number
  /** How many bytes a change's body may have. */
  maxBodyBytes?: number
  /** How long a request may take. Milliseconds. */
  requestTimeout?: number
  /** How often a change is tried that fails with 500 and the like, before it counts as refused. */
  maxAttempts?: number
  /** How long the server remembers keys: what was sent longer ago, without an answer, is not sent again. Milliseconds. */
  keyAge?: number
  /** Whether a POST makes a row, and so gets a temporary id. By default each does. */
  creates?: (request: { url: URL; body: unknown }) => boolean
  /** The id in the answer to a creation. By default its field `id`. */
  idOf?: (body: unknown) => string | number | undefined
}

export interface SyncOptions extends StreamOptions {
  /** `offlineQueue()`. Without it `offlineFetch` is `fetch` with the tab's session and a key. */
  queue?: QueueFactory
  /** What requests are made with. */
  fetch?: typeof fetch
}

/** A function that undoes what was begun. */
export type Release = () => void

export type EventHandler<Data = unknown> = (event: SyncEvent<Data>) => void

/** What a page has of the package: a stream, and a queue. */
export interface Sync {
  /** This tab's, drawn at random for each load of the page. */
  readonly sessionId: string
  readonly status: SyncStatus
  /** Who the stream says that is signed in. */
  readonly userId: string | undefined
  readonly queue: SyncQueue
  /**
   * Opens the stream and keeps it open, until each of its callers has released it. `position`, a `Sync-Position`: what has
   * happened since is told. Without it, what has happened since the page was loaded anew.
   */
  connect(position?: string | null): Release
  /**
   * Opens the stream anew, as whoever is signed in now, in all tabs. For when somebody has signed in or out: a stream goes on as
   * whose it was when it was opened.
   */
  reconnect(): void
  /**
   * Calls `handler` for each event of an entity (or of several, or of `"*"`, all of them), and with the action "resync"
   * when it is time to fetch anew.
   */
  on<Data = unknown>(entity: string | readonly string[], handler: EventHandler<Data>): Release
  /** The signature of `fetch`. A change is queued when there is no network; see src/client/README.md. */
  offlineFetch: typeof fetch
  /** Ends the stream, and whatever else there is, for good. */
  close(): void
}

export interface SyncQueue {
  /** Changes that wait, and refused ones, of all tabs. Known once the database was read. */
  readonly length: number
  readonly failed: number
  /** Those that wait, in order. */
  entries(): Promise<QueueEntry[]>
  /** Those that were refused. */
  failures(): Promise<FailureDetail[]>
  /** Forgets a refused one, or one that waits: then it is not sent again. */
  dismiss(seq: number): Promise<void>
  /** Puts a refused one back, at the queue's end, as a change of its own. */
  retry(seq: number): Promise<void>
  /** Sends what waits, now. */
  flush(): Promise<void>
}

/** The queue as a Sync has it. */
export interface Queue extends SyncQueue {
  offlineFetch: typeof fetch
  close(): void
}

export type QueueFactory = (host: Host) => Queue

/** What a synthetic answer says of itself, in the header `X-Pillar-Queued`. */
export type QueuedKind =
  /** A POST that makes a row: the body is what was sent, with a temporary `id`. */
  | 'create'
  /** A PATCH: the body is what was sent, with the row's real `id`; merge it. */
  | 'merge'
  /** A PUT: the body is the row. */
  | 'replace'
  /** A DELETE; no body. */
  | 'delete'
  /** A POST that makes no row. */
  | 'action'
