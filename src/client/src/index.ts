export { createSync } from './sync.js'
export type * from './types.js'
