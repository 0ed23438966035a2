// The page's own changes.
import type { Host } from '../host.js'
import type { QueueOptions, SyncQueue } from '../types.js'

export interface Queue extends SyncQueue {
  offlineFetch: typeof fetch
  close(): void
}

/** False for `options`: changes are sent at once, or not at all. */
export function createQueue(host: Host, _options: QueueOptions | false = {}): Queue {
  return {
    length: 0,
    failed: 0,
    entries: () => Promise.resolve([]),
    failures: () => Promise.resolve([]),
    dismiss: () => Promise.resolve(),
    retry: () => Promise.resolve(),
    flush: () => Promise.resolve(),
    offlineFetch: host.fetch,
    close() {},
  }
}
