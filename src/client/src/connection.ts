// A stream that comes back: it is opened, watched, and opened anew from where it was, for as long as it is run. One at a
// time: the next is not asked for before the last has ended.
import { fields } from './json.js'
import type { Message, StreamEnd, StreamRequest, StreamSink } from './stream.js'
import { backoff, Pause, Watchdog } from './timer.js'

export interface Ready {
  position: string | undefined
  userId: string | undefined
  /** It goes on where another one ended. */
  resumed: boolean
}

export type Phase = 'connecting' | 'live' | 'expired'

export interface ConnectionSink {
  phase(phase: Phase): void
  ready(ready: Ready): void
  message(message: Message): void
}

export interface ConnectionOptions {
  open(request: StreamRequest, sink: StreamSink, signal: AbortSignal): Promise<StreamEnd>
  request(): Promise<Omit<StreamRequest, 'lastId'>>
  refresh(): Promise<boolean>
  /** What `open` opens tells its comments: so it is dead when it is silent. */
  heartbeats: boolean
  readyTimeout: number
  silenceTimeout: number
  retryMin: number
  retryMax: number
}

/** A server may have said to come back tomorrow, and be well again in a minute. */
const RETRY_AFTER_MAX = 300_000

export class Connection {
  private attempts = 0
  private live = false
  /** `retry:` of the present stream, or the last one. */
  private retry: number | undefined
  private renewing = false
  private hasRefreshed = false
  private present: AbortController | undefined
  private readonly watch = new Watchdog(() => this.present?.abort())
  private readonly pause = new Pause()

  constructor(
    private readonly options: ConnectionOptions,
    private lastId: string | undefined,
    private readonly sink: ConnectionSink,
  ) {}

  /** Ends when `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => {
      this.present?.abort()
      this.pause.end()
    })
    this.sink.phase('connecting')
    while (!signal.aborted) {
      const pause = await this.recover(await this.attempt(), signal)
      if (pause > 0 && !signal.aborted) await this.pause.wait(pause)
    }
  }

  /** Tries at once if it waits, and looks whether the stream still lives. */
  wake(): void {
    this.attempts = 0
    this.pause.end()
    this.check()
  }

  /** Ends a stream that was silent for too long, where a timer has yet to notice. */
  check(): void {
    this.watch.check()
  }

  /** The network is gone, as far as the browser knows: what there is of a stream will say nothing more. */
  cut(): void {
    this.present?.abort()
  }

  private async attempt(): Promise<StreamEnd> {
    const { options, lastId } = this
    const present = (this.present = new AbortController())
    const resumed = lastId !== undefined
    this.live = this.renewing = false
    this.retry = undefined
    this.watch.start(options.readyTimeout)
    const sink: StreamSink = {
      alive: () => this.live && this.watch.extend(),
      retry: (ms) => (this.retry = ms),
      message: (message) => this.message(message, resumed),
    }
    try {
      const request = await options.request()
      return await options.open({ ...request, lastId }, sink, present.signal)
    } catch {
      return { kind: this.live ? 'ended' : 'failed' }
    } finally {
      this.watch.stop()
      present.abort()
    }
  }

  private message(message: Message, resumed: boolean): void {
    if (message.id !== undefined) this.lastId = message.id
    if (message.name === 'ready') this.ready(message, resumed)
    else if (message.name === 'expiring') void this.renew()
    else this.sink.message(message)
  }

  private ready({ id, data }: Message, resumed: boolean): void {
    const { heartbeatMs, userId } = fields(data)
    const { heartbeats, silenceTimeout } = this.options
    this.live = true
    this.attempts = 0
    this.hasRefreshed = false
    if (heartbeats) this.watch.start(typeof heartbeatMs === 'number' ? 2 * heartbeatMs : silenceTimeout)
    else this.watch.stop()
    this.sink.ready({ position: id, userId: typeof userId === 'string' ? userId : undefined, resumed })
    this.sink.phase('live')
  }

  /** The stream ends when its user expires. One that is opened after the sign-in was renewed lasts longer. */
  private async renew(): Promise<void> {
    const { present } = this
    if (!(await this.options.refresh()) || present !== this.present) return
    this.renewing = true
    present?.abort()
  }

  /** Says how long to wait before the next attempt. Milliseconds. */
  private async recover({ kind, retryAfter = 0 }: StreamEnd, signal: AbortSignal): Promise<number> {
    if (this.renewing || signal.aborted) return 0
    const { retryMin, retryMax, refresh } = this.options
    const isExpired = kind === 'unauthorized'
    if (isExpired && !this.hasRefreshed && (this.hasRefreshed = await refresh())) return 0
    this.hasRefreshed = false
    this.sink.phase(isExpired ? 'expired' : 'connecting')
    const drawn = backoff(this.attempts++, retryMin, retryMax)
    return Math.max(Math.min(this.retry ?? drawn, retryMax), Math.min(retryAfter, RETRY_AFTER_MAX))
  }
}
