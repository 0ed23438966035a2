// A service worker as many have one: what it has fetched once, it does not fetch again.
/** @type {any} */
const worker = self

worker.addEventListener('install', () => worker.skipWaiting())
worker.addEventListener('activate', (/** @type {any} */ event) => event.waitUntil(worker.clients.claim()))

worker.addEventListener('fetch', (/** @type {any} */ event) => {
  const { request } = event
  if (request.method === 'GET' && new URL(request.url).pathname.startsWith('/api/')) event.respondWith(answer(request))
})

/** @param {Request} request */
async function answer(request) {
  const cache = await caches.open('api')
  const kept = await cache.match(request)
  if (kept) return kept
  const response = await fetch(request)
  void cache.put(request, response.clone()).catch(() => {})
  return response
}
