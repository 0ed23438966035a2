// What the broker serves at /pillar.js.
import type { Sync, SyncOptions } from '../../../src/client/src/types.js'

export declare function createSync(options?: SyncOptions): Sync
