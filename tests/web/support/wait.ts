import { setTimeout as sleep } from 'node:timers/promises'

const PATIENCE_MS = 20_000
const STEP_MS = 5

type Found<T> = Exclude<T, undefined | null | false | 0>

/** Looks until there is something, which is returned. Fails after 20 seconds, with what `tell` says of the state. */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  tell: () => unknown = () => '',
): Promise<Found<T>> {
  const end = Date.now() + PATIENCE_MS
  for (;;) {
    const found = await look()
    if (found) return found as Found<T>
    if (Date.now() > end) throw new Error(`waited in vain for ${what}\n${await tell()}`)
    await sleep(STEP_MS)
  }
}
