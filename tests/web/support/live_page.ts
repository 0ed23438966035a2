// What apps/notes/public/sync.js gives to tests.
import type { EventHandler, StreamOptions, SyncEvent, SyncStatus } from '../../../src/client/src/types.js'

export interface LiveDetails {
  'pillar:sync': SyncEvent<{ text: string }>
  'pillar:resync': { reason: string }
  'pillar:reconnected': { resumed: boolean }
  'pillar:status': { status: SyncStatus }
  /** What the handler got. */
  on: SyncEvent<{ text: string }>
}

export type LiveEntry = { [Name in keyof LiveDetails]: { name: Name; detail: LiveDetails[Name] } }[keyof LiveDetails]

/** How `refresh` renews a sign-in: by signing in; or it throws, or does not answer. */
export type Renewal = { kind: 'login'; body: { user: string; maxAge?: number } } | { kind: 'throw' } | { kind: 'hang' }

export type LiveOptions = Omit<StreamOptions, 'headers' | 'refresh'> & {
  renewal?: Renewal
  /** `headers` waits for `giveHeaders`. */
  slowHeaders?: boolean
}

export interface LiveAnswer {
  status: number
  position: string | null
  body: unknown
}

export interface LivePage {
  /** All that the window, and a handler of every entity, were told. */
  log: LiveEntry[]
  /** How often `refresh` was called, and what it does. */
  refreshes: number
  renewal: Renewal
  giveHeaders: (() => void) | undefined
  create(options: LiveOptions): unknown
  connect(position?: string): unknown
  /** Releases what was connected last. */
  release(): unknown
  close(): void
  state(): { status: SyncStatus; userId: string | undefined; sessionId: string }
  on(entity: string | string[], handler: EventHandler): () => void
  send(method: string, path: string, body?: object): Promise<LiveAnswer>
}

declare global {
  interface Window {
    live: LivePage
  }
}
