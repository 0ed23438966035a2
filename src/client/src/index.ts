export { offlineQueue } from './queue/queue.js'
export { queued } from './queue/synthetic.js'
export { createSync } from './sync.js'
export type * from './types.js'
