// No queue: changes are sent at once, or not at all; with the tab's session, and with a key.
import type { Host } from '../host.js'
import type { Queue } from '../types.js'
import { changeOf, isChange, send } from './request.js'

const nothing = (): Promise<void> => Promise.resolve()
const none = (): Promise<never[]> => Promise.resolve([])

export function plainQueue(host: Host): Queue {
  return {
    length: 0,
    failed: 0,
    entries: none,
    failures: none,
    dismiss: nothing,
    retry: nothing,
    flush: nothing,
    close() {},
    async offlineFetch(input, init) {
      // A server has no tab that could hear an echo.
      if (typeof window === 'undefined') return host.fetch(input, init)
      const made = new Request(input, init)
      return isChange(made) ? send(host, await changeOf(made, host), { signal: made.signal }) : host.fetch(made)
    },
  }
}
