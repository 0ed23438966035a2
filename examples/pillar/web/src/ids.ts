// Rows that the server has not named yet have a temporary id, and each keeps one name for the page for as long as it is open.

function digits(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** For an `Idempotency-Key`. */
export const randomKey = (): string => `board-${digits()}`

export class Ids {
  private readonly real = new Map<string, string>()
  private readonly first = new Map<string, string>()
  private readonly waiting = new Map<string, Promise<void>>()

  temporary(): string {
    return `temp-${digits()}`
  }

  /** From now on `from` is called `to`. */
  rename(from: string, to: string): void {
    if (from === to) return
    this.real.set(from, to)
    this.first.set(to, this.keyOf(from))
  }

  /** What a row is called now. */
  readonly now = (id: string): string => {
    const next = this.real.get(id)
    return next === undefined ? id : this.now(next)
  }

  /** What it was called first: a key for React that stays the same. */
  keyOf(id: string): string {
    return this.first.get(id) ?? id
  }

  /** `answered` settles when the server, or the queue, has named the row. */
  expect(tempId: string, answered: Promise<void>): void {
    this.waiting.set(tempId, answered)
    void answered.finally(() => this.waiting.delete(tempId))
  }

  /** Settles when none of the rows waits for a name any more. */
  async settled(isMentioned: (id: string) => boolean): Promise<void> {
    await Promise.allSettled([...this.waiting].filter(([id]) => isMentioned(id)).map(([, answered]) => answered))
  }
}
