// One tab of many does something for all: whoever has a Web Lock. The browser hands it on when that tab is closed, crashes
// or lets go.

export interface Leader {
  /** Takes the lead from a tab that does not answer. */
  seize(): void
}

/**
 * Runs `term` whenever this tab has the lead, until `signal` is aborted. `over` is aborted when the lead is lost; the term
 * is to end then, and has ended before there is another one in this tab.
 */
export function lead(name: string, signal: AbortSignal, term: (over: AbortSignal) => Promise<void>): Leader {
  let seizing = false
  let waiting = new AbortController()

  /** Waits for the lead, has it, loses it. */
  async function stand(): Promise<void> {
    const over = new AbortController()
    const queued = (waiting = new AbortController())
    const stop = (): void => {
      over.abort()
      queued.abort()
    }
    // A request that steals the lock waits for nobody, and so takes no signal.
    const options = seizing ? { steal: true } : { signal: queued.signal }
    let running: Promise<void> | undefined
    signal.addEventListener('abort', stop)
    try {
      await navigator.locks.request(name, options, () => {
        seizing = false
        return (running = term(over.signal))
      })
    } catch (error) {
      // It was stolen, or is no longer wanted. Where there can be no locks at all, each tab is its own leader.
      if (!(error instanceof DOMException && error.name === 'AbortError')) await term(over.signal)
    }
    stop()
    signal.removeEventListener('abort', stop)
    await running
  }

  void (async () => {
    while (!signal.aborted) await stand()
  })()

  return {
    seize() {
      seizing = true
      waiting.abort()
    },
  }
}
