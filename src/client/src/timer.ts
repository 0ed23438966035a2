// Waiting: until something has been silent for too long, and until it is time to try again.

/** Calls `bark` when it was not spoken to for a while. */
export class Watchdog {
  private timer: ReturnType<typeof setTimeout> | undefined
  private limit = 0
  private spokenAt = 0

  constructor(private readonly bark: () => void) {}

  start(limit: number): void {
    this.limit = limit
    this.extend()
    this.arm()
  }

  extend(): void {
    this.spokenAt = Date.now()
  }

  stop(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }

  /** Timers come late in tabs that nobody sees, and not at all while a machine sleeps: so it may be asked too. */
  check(): void {
    if (this.timer === undefined) return
    if (Date.now() - this.spokenAt < this.limit) return this.arm()
    this.stop()
    this.bark()
  }

  private arm(): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.check(), this.spokenAt + this.limit - Date.now())
  }
}

/** A pause that can be cut short. */
export class Pause {
  /** Ends the pause, if there is one. */
  end: () => void = () => {}

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.end(), ms)
      this.end = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

/** Full jitter: anything up to a bound that doubles with each attempt. Milliseconds. */
export function backoff(attempts: number, min: number, max: number): number {
  return Math.random() * Math.min(max, min * 2 ** attempts)
}
