// What the parts of a Sync have in common: who the tab is, how requests are made, and how the page is told.
import type { Release, SyncEventMap } from './types.js'

/** Something happened that makes trying again at once worth while: a network, a visible tab, a stream that lives. */
export type Wake = () => void

export interface Host {
  /** This tab's. */
  readonly sessionId: string
  /** Ends when the Sync is closed. */
  readonly signal: AbortSignal
  /** What tabs must have in common to share anything: a name for locks and channels. */
  readonly scope: string
  readonly fetch: typeof fetch
  /** Who is signed in, as far as is known. */
  userId(): string | undefined
  /** Whose page it is: also when the sign-in has ended, until the page says that there is another one. */
  owner(): string | undefined
  /** The page has said that somebody else may be signed in, and the stream has not said who. */
  isForgotten(): boolean
  /** The page's own headers for a request, a token say. */
  headers(): Promise<Headers>
  readonly credentials: RequestCredentials
  /** Renews the sign-in; one at a time, whoever asks. False if that did not work, or nobody knows how. */
  refresh(): Promise<boolean>
  /** Says that a request found nobody signed in, or somebody else, and that `refresh` did not help. */
  expired(): void
  /** Says that the server has answered. */
  reached(): void
  /** Tells this tab's window. */
  tell<Name extends keyof SyncEventMap>(name: Name, detail: SyncEventMap[Name]['detail']): void
  /** Calls `wake` whenever trying again is worth while. */
  onWake(wake: Wake): Release
}
