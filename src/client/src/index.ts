export { createSync } from './sync.js'
export { queued } from './queue/synthetic.js'
export type * from './types.js'
