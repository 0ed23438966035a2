// Notes all that the page's EventSource says, and sends what a test asks for.

/** @type {EventSource | undefined} */
let stream

window.heard = []

window.listen = (session) => {
  const source = new EventSource(`/api/events?sessionId=${session}`)
  for (const name of /** @type {const} */ (['ready', 'sync', 'resync', 'message'])) {
    source.addEventListener(name, ({ lastEventId, data }) => {
      window.heard.push({ name, id: lastEventId, data: JSON.parse(data) })
    })
  }
  source.onerror = () => window.heard.push({ name: 'error', readyState: source.readyState })
  stream = source
}

window.readyState = () => stream?.readyState

window.stopListening = () => stream?.close()

window.send = async (method, path, session, body) => {
  const response = await fetch(path, {
    method,
    headers: { 'X-Session-Id': session, ...(body && { 'Content-Type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? null : JSON.parse(text) }
}
