// What small teams build by hand: an in-memory EventEmitter, a listener for each open stream, and a map of rows. The event's
// frame is made once, which most do once for each stream. Each listener looks whether an event is for it; with --by-user a
// user's streams listen to an event of the user's own, which is how those who have grown out of it would build it.
import { EventEmitter } from 'node:events'
import { createServer } from 'node:http'

const byUser = process.argv.includes('--by-user')
const bus = new EventEmitter().setMaxListeners(0)
const tasks = new Map()
let lastId = 0

for (let i = 0; i < 1000; i++) {
  tasks.set(`t${i}`, { id: `t${i}`, projectId: 'p1', title: `Task ${i}`, done: false, createdAt: Date.now() })
}

function stream(request, response, query) {
  const userId = query.get('user')
  const sessionId = query.get('sessionId')
  response.writeHead(200, {
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-cache',
    'X-Accel-Buffering': 'no',
  })
  response.write(`retry: 3000\n\nevent: ready\ndata: {"userId":"${userId}"}\n\n`)
  const onSync = (event, frame) => {
    if (event.everyone !== true && !event.targetUserIds.includes(userId)) return
    if (sessionId && event.sessionId === sessionId) return
    response.write(frame)
  }
  const names = byUser ? ['everyone', `user ${userId}`] : ['sync']
  for (const name of names) bus.on(name, onSync)
  request.on('close', () => {
    for (const name of names) bus.off(name, onSync)
  })
}

function emit(event) {
  const { targetUserIds, everyone, ...told } = event
  const frame = `id: memory-${++lastId}\nevent: sync\ndata: ${JSON.stringify({ ...told, timestamp: Date.now() })}\n\n`
  const whole = { ...event, targetUserIds: targetUserIds ?? [] }
  if (!byUser) bus.emit('sync', whole, frame)
  else if (everyone === true) bus.emit('everyone', whole, frame)
  else for (const userId of new Set(whole.targetUserIds)) bus.emit(`user ${userId}`, whole, frame)
}

function answer(response, status, body) {
  const text = JSON.stringify(body)
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) })
  response.end(text)
}

async function bodyOf(request) {
  const parts = []
  for await (const part of request) parts.push(part)
  return JSON.parse(Buffer.concat(parts).toString())
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://bench')
  if (url.pathname === '/api/events') return stream(request, response, url.searchParams)
  if (url.pathname === '/api/emit') {
    emit(await bodyOf(request))
    return answer(response, 200, { accepted: 1 })
  }
  const task = tasks.get(url.pathname.slice('/api/tasks/'.length))
  return task ? answer(response, 200, task) : answer(response, 404, { error: 'not found' })
})

server.listen(0, '0.0.0.0', 4096, () => console.log(`listening on http://127.0.0.1:${server.address().port}`))
