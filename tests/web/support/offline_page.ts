// What apps/offline/public/page.js gives to tests.
import type { FailureReason, QueuedKind, QueueOptions, Sync } from '/pillar.js'

/** An entry, or an answer, with its body as text. */
export interface Entry {
  seq: number
  method: string
  url: string
  key: string
  body?: string
  tempId?: string
  userId?: string
  sentAt?: number
}

interface Stored {
  status: number
  body: string
}

export interface Failure {
  entry: Entry
  reason: FailureReason
  response?: Stored
}

export type Told =
  | { name: 'queue'; detail: { length: number; failed: number } }
  | { name: 'replayed'; detail: { entry: Entry; response: Stored; id?: string | number } }
  | { name: 'failure'; detail: Failure }
  | { name: 'resync'; detail: { reason: string } }
  | { name: 'status'; detail: { status: string } }

/** An answer, or the name of the error. */
export interface Reply {
  status?: number
  queued?: QueuedKind
  body?: unknown
  error?: string
  message?: string
}

/** What the page's address may say. */
export interface PageOptions {
  queue?: Omit<QueueOptions, 'creates' | 'idOf'> | false
  scope?: string
  retryMin?: number
  retryMax?: number
  readyTimeout?: number
  /** Whether to open the stream. */
  connect?: boolean
  /** `refresh` signs this user in. */
  refreshAs?: string
  /** `headers` gives these. */
  headers?: Record<string, string>
  /** What never answers. */
  silent?: 'headers' | 'refresh'
  /** Without Web Locks, as on a page that came by plain http. */
  lockless?: boolean
}

declare global {
  interface Window {
    sync: Sync
    told: Told[]
    ask(method: string, path: string, body?: object, init?: RequestInit): Promise<Reply>
    waiting(): Promise<Entry[]>
    failures(): Promise<Failure[]>
    signIn(user: string): Promise<number>
    /** Has the page load without a network from now on. */
    keepPage(): Promise<void>
  }
}

/** The id in an answer's body. */
export function idOf({ body }: Reply): string {
  if (body instanceof Object && 'id' in body && typeof body.id === 'string') return body.id
  throw new Error(`no id in ${JSON.stringify(body)}`)
}
