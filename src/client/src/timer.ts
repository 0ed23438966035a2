// Waiting: until something has been silent for too long, and until it is time to try again.

/** Timers know no longer ones than some days, and end those at once. */
const LONGEST_MS = 1e9

export interface Watchdog {
  start(limit: number): void
  /** It has been spoken to. */
  extend(): void
  stop(): void
  /** Timers come late in tabs that nobody sees, and not at all while a machine sleeps: so it may be asked too. */
  check(): void
  isOn(): boolean
}

/** Calls `bark` when it was not spoken to for a while. Milliseconds. */
export function createWatchdog(bark: () => void): Watchdog {
  let timer: ReturnType<typeof setTimeout> | undefined
  let limit = 0
  let spokenAt = 0

  const extend = (): void => void (spokenAt = Date.now())
  const stop = (): void => {
    clearTimeout(timer)
    timer = undefined
  }
  const check = (): void => {
    if (timer === undefined) return
    stop()
    const rest = spokenAt + limit - Date.now()
    if (rest > 0) timer = setTimeout(check, Math.min(rest, LONGEST_MS))
    else bark()
  }
  const start = (ms: number): void => {
    stop()
    limit = ms
    extend()
    timer = setTimeout(check)
  }
  return { start, extend, stop, check, isOn: () => timer !== undefined }
}

export interface Pause {
  wait(ms: number): Promise<void>
  /** Ends the wait, if there is one. */
  end(): void
}

/** A pause that can be cut short. */
export function createPause(): Pause {
  let end = (): void => {}
  return {
    wait: (ms) =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, ms)
        end = () => {
          clearTimeout(timer)
          resolve()
        }
      }),
    end: () => end(),
  }
}

/** Rejects when `signal` is aborted: what is not ended by it, an answer of the page say, is waited for no longer. */
export function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', reject))
}

/** Full jitter: anything up to a bound that doubles with each attempt. Milliseconds. */
export function backoff(attempts: number, min: number, max: number): number {
  return Math.random() * Math.min(max, min * 2 ** attempts)
}
