// What the options are where nobody says otherwise.
import type { StreamOptions, SyncOptions } from './types.js'

type Always = Required<StreamOptions> & { fetch: typeof fetch }

export type Settings = Always & Pick<SyncOptions, 'queue'>

const DEFAULTS: Always = {
  url: '/api/events',
  entities: [],
  headers: () => ({}),
  credentials: 'same-origin',
  refresh: () => false,
  share: true,
  scope: '',
  readyTimeout: 10_000,
  silenceTimeout: 60_000,
  retryMin: 1000,
  retryMax: 30_000,
  fetch: (input, init) => fetch(input, init),
}

export function withDefaults(options: SyncOptions): Settings {
  return { ...DEFAULTS, ...options }
}
