// Locks that all tabs know. Pages that come by plain http have none: then each tab is alone.
import type { Release } from '../types.js'

/** Waits for the lock, and holds it until it is released, or the tab is gone. */
export function hold(name: string): Promise<Release> {
  return new Promise((held, failed) => {
    if (navigator.locks) navigator.locks.request(name, () => new Promise<void>(held)).catch(failed)
    else held(() => {})
  })
}

export const isHeld = async (name: string): Promise<boolean> =>
  navigator.locks?.request(name, { ifAvailable: true }, (lock) => !lock) ?? false
