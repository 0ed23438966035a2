// What the stream brings, as the page is told of it.
import type { Host } from './host.js'
import { fields } from './json.js'
import type { Message } from './stream.js'
import type { Audience, State } from './tabs.js'
import type { SyncEvent, SyncStatus } from './types.js'

export class Feed implements Audience {
  status: SyncStatus = 'connecting'
  userId: string | undefined
  private phase: State['phase'] = 'connecting'
  private wasLive = false
  private denied = false

  constructor(private readonly host: Pick<Host, 'sessionId' | 'tell'>) {}

  state({ phase, userId, resumed }: State): void {
    const isBack = phase === 'live' && this.phase !== 'live' && this.wasLive
    this.phase = phase
    this.wasLive ||= phase === 'live'
    this.denied = false
    this.show()
    if (isBack) this.host.tell('pillar:reconnected', { resumed })
    if (isBack && !resumed) this.resync('unresumed')
    this.know(userId)
  }

  message({ name, data }: Message): void {
    const detail = fields(data)
    if (name === 'resync') this.resync(String(detail['reason']))
    else if (name === 'sync' && isSyncEvent(detail) && !this.isEcho(detail)) this.host.tell('pillar:sync', detail)
  }

  gap(): void {
    this.resync('gap')
  }

  /** A request found nobody signed in. */
  deny(): void {
    this.denied = true
    this.show()
  }

  /** Says what the state is, if that has changed. */
  show(): void {
    const { phase, denied } = this
    const isOffline = phase === 'connecting' && !navigator.onLine
    const status = isOffline ? 'offline' : denied ? 'expired' : phase
    if (status === this.status) return
    this.status = status
    this.host.tell('pillar:status', { status })
  }

  private resync(reason: string): void {
    this.host.tell('pillar:resync', { reason })
  }

  /** What the page shows is another user's, if it is another user now. */
  private know(userId: string | undefined): void {
    const isAnother = this.userId !== undefined && userId !== undefined && this.userId !== userId
    this.userId = userId ?? this.userId
    if (isAnother) this.resync('user')
  }

  /** Both have to match: a session is no secret, and nobody may hide a change by naming another's. */
  private isEcho({ sessionId, userId }: SyncEvent): boolean {
    return sessionId === this.host.sessionId && (this.userId === undefined || this.userId === userId)
  }
}

function isSyncEvent(detail: object): detail is SyncEvent {
  return 'entity' in detail && 'action' in detail
}
