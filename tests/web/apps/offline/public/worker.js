// Has the page load without a network.
// @ts-nocheck: the types of a worker and those of a page exclude each other.
const FILES = ['/', '/page.js', '/pillar.js']

addEventListener('install', (event) => {
  event.waitUntil(caches.open('page').then((cache) => cache.addAll(FILES)))
})

addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))

addEventListener('fetch', (event) => {
  const { request } = event
  if (FILES.includes(new URL(request.url).pathname)) event.respondWith(caches.match(request, { ignoreSearch: true }))
})
