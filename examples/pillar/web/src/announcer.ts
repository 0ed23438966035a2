// What is said to those who do not see the page. Much at once is said in short.

export interface Announcer {
  say: (text: string) => void
  subscribe: (listener: () => void) => () => void
  /** What is said now. */
  text: () => string
}

const PAUSE_MS = 400
const MANY = 3

export function announcer(): Announcer {
  const listeners = new Set<() => void>()
  let waiting: string[] = []
  let now = ''
  const speak = (): void => {
    now = waiting.length > MANY ? `${waiting.length} changes by others` : waiting.join('. ')
    waiting = []
    listeners.forEach((listener) => listener())
  }
  return {
    say(text) {
      if (waiting.push(text) === 1) setTimeout(speak, PAUSE_MS)
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    text: () => now,
  }
}
