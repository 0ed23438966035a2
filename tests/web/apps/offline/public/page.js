// Has a Sync, made as the address says, notes what the window is told, and sends what a test asks for.
import { createSync, offlineQueue, queued } from '/pillar.js'

/** @type {import('../../../support/offline_page.js').PageOptions} */
const { connect, refreshAs, headers, silent, lockless, queue, ...options } = JSON.parse(
  decodeURIComponent(location.hash.slice(1)) || '{}',
)

if (lockless) Object.defineProperty(navigator, 'locks', { value: undefined })

window.told = []
for (const name of /** @type {const} */ (['queue', 'replayed', 'failure', 'resync', 'status'])) {
  addEventListener(`pillar:${name}`, ({ detail }) => window.told.push({ name, detail: plain(detail) }))
}

/**
 * What a test can read: texts in the place of bytes.
 * @param {any} value
 * @returns {any}
 */
function plain(value) {
  if (value instanceof ArrayBuffer) return new TextDecoder().decode(value)
  if (Array.isArray(value)) return value.map(plain)
  if (!(value instanceof Object)) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]))
}

window.signIn = async (user) => {
  const body = JSON.stringify({ user })
  return (await fetch('/api/login', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body })).status
}

window.sync = createSync({
  ...options,
  ...(queue !== false && {
    queue: offlineQueue({ ...queue, creates: ({ url }) => !url.pathname.endsWith('/touch') }),
  }),
  ...(headers && { headers: () => headers }),
  ...(silent && { [silent]: () => new Promise(() => {}) }),
  ...(refreshAs && { refresh: async () => (await window.signIn(refreshAs)) === 200 }),
})
if (connect) window.sync.connect()

window.ask = async (method, path, body, init) => {
  try {
    const response = await window.sync.offlineFetch(path, {
      method,
      ...(body && { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
      ...init,
    })
    const text = await response.text()
    const isJson = response.headers.get('Content-Type')?.includes('json')
    const kind = queued(response)
    return { status: response.status, ...(kind && { queued: kind }), body: isJson && text ? JSON.parse(text) : text }
  } catch (error) {
    return error instanceof Error ? { error: error.name, message: error.message } : { error: String(error) }
  }
}

window.waiting = async () => plain(await window.sync.queue.entries())
window.failures = async () => plain(await window.sync.queue.failures())

window.keepPage = async () => {
  await navigator.serviceWorker.register('/worker.js')
  await navigator.serviceWorker.ready
}
