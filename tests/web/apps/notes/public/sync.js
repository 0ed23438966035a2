// A page with a Sync that a test drives. It notes all that its window and its handler are told.
import { createSync } from '/pillar.js'

/** @typedef {import('../../../support/live_page.js').LivePage} LivePage */

/** @type {import('../../../../../src/client/src/types.js').Sync} */
let sync
/** @type {(() => void)[]} */
const releases = []

/** @type {LivePage['send']} */
async function send(method, path, body) {
  const response = await fetch(path, {
    method,
    headers: { 'X-Session-Id': sync?.sessionId ?? '', ...(body && { 'Content-Type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  const position = response.headers.get('Sync-Position')
  return { status: response.status, position, body: text === '' ? null : JSON.parse(text) }
}

/** @returns {boolean | Promise<boolean>} */
function refresh() {
  live.refreshes++
  const { renewal } = live
  if (renewal.kind === 'throw') throw new Error('nothing to renew it with')
  if (renewal.kind === 'hang') return new Promise(() => {})
  return send('POST', '/api/login', renewal.body).then(({ status }) => status === 200)
}

/** @returns {Promise<HeadersInit>} */
function headers() {
  return new Promise((resolve) => {
    live.giveHeaders = () => resolve({})
  })
}

/** @type {LivePage} */
const live = {
  log: [],
  refreshes: 0,
  renewal: { kind: 'throw' },
  giveHeaders: undefined,
  create({ renewal, slowHeaders, ...options }) {
    if (renewal) live.renewal = renewal
    sync = createSync({ ...options, ...(renewal && { refresh }), ...(slowHeaders && { headers }) })
    sync.on('*', (/** @type {any} */ detail) => live.log.push({ name: 'on', detail }))
  },
  connect: (position) => releases.push(sync.connect(position)),
  release: () => releases.pop()?.(),
  close: () => sync.close(),
  state: () => ({ status: sync.status, userId: sync.userId, sessionId: sync.sessionId }),
  on: (entity, handler) => sync.on(entity, handler),
  send,
}

for (const name of /** @type {const} */ (['pillar:sync', 'pillar:resync', 'pillar:reconnected', 'pillar:status'])) {
  addEventListener(name, (/** @type {any} */ { detail }) => live.log.push({ name, detail }))
}
window.live = live
