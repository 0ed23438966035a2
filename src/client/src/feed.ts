// What the stream brings, as the page is told of it.
import type { Host } from './host.js'
import { fields } from './json.js'
import type { Audience, State } from './tabs.js'
import type { SyncEvent, SyncStatus } from './types.js'

export interface Feed extends Audience {
  status(): SyncStatus
  /** Undefined too from when nobody is signed in until a stream says who is: it may be somebody else. */
  userId(): string | undefined
  /** See `Host`. */
  owner(): string | undefined
  isForgotten(): boolean
  /** A request found nobody signed in. */
  deny(): void
  /** Says what the status is, if that has changed. */
  show(): void
}

/** `wake` is called when there is a stream, and when it is known whose. */
export function createFeed({ sessionId, tell }: Pick<Host, 'sessionId' | 'tell'>, wake: () => void): Feed {
  let status: SyncStatus = 'connecting'
  let phase: State['phase'] = status
  let userId: string | undefined
  let wasLive = false
  let denied = false
  let isKnown = false
  let isForgotten = false

  function show(): void {
    const isOffline = phase === 'connecting' && !navigator.onLine
    const now = isOffline ? 'offline' : denied ? 'expired' : phase
    if (now === status) return
    status = now
    tell('pillar:status', { status })
  }

  function resync(reason: string): void {
    tell('pillar:resync', { reason })
  }

  /** Both have to match: a session is no secret, and nobody may hide a change by naming another's. */
  function isEcho(event: SyncEvent): boolean {
    return event.sessionId === sessionId && (userId === undefined || event.userId === userId)
  }

  return {
    status: () => status,
    userId: () => (isKnown ? userId : undefined),
    owner: () => (isForgotten ? undefined : userId),
    isForgotten: () => isForgotten,
    show,

    state({ phase: now, userId: user, resumed }) {
      const isBack = now === 'live' && phase !== 'live' && wasLive
      const isNews = now === 'live' && (phase !== 'live' || !isKnown)
      phase = now
      wasLive ||= now === 'live'
      denied = false
      // What the page shows is another user's, if it is another user now.
      const isAnother = userId !== undefined && user !== undefined && user !== userId
      userId = user ?? userId
      isKnown = now === 'live' || (isKnown && now !== 'expired')
      isForgotten &&= !isKnown
      show()
      if (isBack) tell('pillar:reconnected', { resumed })
      if (isBack && !resumed) resync('unresumed')
      if (isAnother) resync('user')
      if (isNews) wake()
    },

    message({ name, data }) {
      const detail = fields(data)
      if (name === 'resync') resync(String(detail['reason']))
      else if (name === 'sync' && isSyncEvent(detail) && !isEcho(detail)) tell('pillar:sync', detail)
    },

    resync,

    forget() {
      isForgotten = true
      isKnown = false
    },

    deny() {
      denied = true
      isKnown = false
      show()
    },
  }
}

function isSyncEvent(detail: object): detail is SyncEvent {
  return 'entity' in detail && 'action' in detail
}
