// A stream that comes back: it is opened, watched, and opened anew from where it was, until it is no longer wanted. One at a
// time: the next is not asked for before the last has ended.
import { fields } from './json.js'
import type { Message, StreamEnd, StreamRequest, StreamSink } from './stream.js'
import { aborted, backoff, createPause, createWatchdog } from './timer.js'

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

export interface Connection {
  /** Settled when it has ended, after `signal` was aborted. */
  ended: Promise<void>
  /** Tries at once if it waits, and looks whether the stream still lives. */
  wake(): void
  /** Ends a stream that was silent for too long, where a timer has yet to notice. */
  check(): void
  /** The network is gone, as far as the browser knows: what there is of a stream will say nothing more. */
  cut(): void
  /** Takes a new stream in the place of this one, which may be another user's. */
  reopen(): void
}

export function connect(
  { open, request, refresh, heartbeats, readyTimeout, silenceTimeout, retryMin, retryMax }: ConnectionOptions,
  lastId: string | undefined,
  sink: ConnectionSink,
  signal: AbortSignal,
): Connection {
  let attempts = 0
  let live = false
  let liveAt = 0
  /** `retry:` of the present stream, or the last one. */
  let retry: number | undefined
  let renewing = false
  let refreshed = false
  let renewedAt = 0
  let present = new AbortController()
  const cut = (): void => present.abort()
  const watch = createWatchdog(cut)
  const pause = createPause()
  const tell = (phase: Phase): void => void (signal.aborted || sink.phase(phase))

  /**
   * The stream ends when its user expires. One that is opened after the sign-in was renewed lasts longer; where it does not,
   * it is left to end.
   */
  async function renew(): Promise<void> {
    const expiring = present
    if (Date.now() - renewedAt < retryMax || !(await refresh()) || expiring !== present) return
    renewedAt = Date.now()
    renewing = true
    cut()
  }

  function ready({ id, data }: Message, resumed: boolean): void {
    const { heartbeatMs, userId } = fields(data)
    live = true
    liveAt = Date.now()
    refreshed = false
    watch.start(heartbeats ? 2 * Number(heartbeatMs) || silenceTimeout : Infinity)
    sink.ready({ position: id, userId: typeof userId === 'string' ? userId : undefined, resumed })
    tell('live')
  }

  function streamSink(resumed: boolean, over: AbortSignal): StreamSink {
    return {
      alive: () => live && watch.extend(),
      retry: (ms) => (retry = ms),
      message(message) {
        if (over.aborted) return
        lastId = message.id ?? lastId
        if (message.name === 'ready') ready(message, resumed)
        else if (message.name === 'expiring') void renew()
        else sink.message(message)
      },
    }
  }

  async function attemptUntil(over: AbortSignal): Promise<StreamEnd> {
    const wanted = await request()
    over.throwIfAborted()
    return open({ ...wanted, lastId }, streamSink(lastId !== undefined, over), over)
  }

  async function attempt(): Promise<StreamEnd> {
    present = new AbortController()
    live = renewing = false
    retry = undefined
    watch.start(readyTimeout)
    try {
      return await Promise.race([attemptUntil(present.signal), aborted(present.signal)])
    } catch {
      return {}
    } finally {
      watch.stop()
      cut()
    }
  }

  /** Says how long to wait before the next attempt. Milliseconds. */
  async function recover({ unauthorized, retryAfter = 0 }: StreamEnd): Promise<number> {
    // Where a stream cannot be resumed, the page has to know that there was an end.
    if ((renewing && lastId !== undefined) || signal.aborted) return 0
    if (unauthorized && !refreshed && (refreshed = await refresh())) return 0
    refreshed = false
    tell(unauthorized ? 'expired' : 'connecting')
    // Streams that end as soon as they are open are no better than none.
    if (live && Date.now() - liveAt > retryMin) attempts = 0
    const isFirst = attempts === 0
    const drawn = backoff(attempts++, retryMin, retryMax)
    const wanted = isFirst ? (retry ?? drawn) : Math.max(retry ?? 0, drawn)
    return Math.max(Math.min(wanted, retryMax), retryAfter)
  }

  async function run(): Promise<void> {
    tell('connecting')
    while (!signal.aborted) {
      const ms = await recover(await attempt())
      if (ms > 0 && !signal.aborted) await pause.wait(ms)
    }
  }

  signal.addEventListener('abort', () => {
    cut()
    pause.end()
  })
  return {
    ended: Promise.race([run(), aborted(signal)]).catch(() => {}),
    wake() {
      // That a stream is open wakes the page, too.
      if (!live) attempts = 0
      pause.end()
      watch.check()
    },
    check: watch.check,
    cut,
    reopen() {
      renewing = true
      cut()
      pause.end()
    },
  }
}
