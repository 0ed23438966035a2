// The shared list: the rows that the server has told, and on top of them the changes that it has not got yet.
import { coalesce, createSync, offlineQueue } from '/pillar.js'

const $ = (selector) => document.querySelector(selector)
const user = new URLSearchParams(location.search).get('user')?.trim() ?? ''
const as = `?user=${encodeURIComponent(user)}` // the sign-in; a cookie goes along by itself
// Two tabs may be two people here, so each person has a queue. After 5 s without an answer a change counts as waiting.
const sync = createSync({ url: `/api/events${as}`, scope: user, queue: offlineQueue({ requestTimeout: 5000 }) })

let rows // undefined until the server has told them
let waiting = [] // entries of the queue
let newest = 0 // the last of them that was seen
let failures = [] // changes that were refused after they had waited
const sending = new Set() // ids of items whose change has yet to be written down
const realIds = new Map() // of items that were made offline, by temporary id

const parse = (body) => JSON.parse(new TextDecoder().decode(body))

// What is beyond `length` is on its way from a tab that waits for the answer, and that nobody else is told of.
const queued = async () => (await sync.queue.entries()).slice(0, sync.queue.length)

// What is new in the queue is shown at once. What has left it is shown until the rows are fetched that have it in them.
async function peek() {
  const [entries, refused] = await Promise.all([queued(), sync.queue.failures()])
  failures = refused
  draw(rows, [...waiting, ...entries.filter(({ seq }) => seq > newest)])
}

// One fetch at a time: an older answer never takes a newer one's place.
const refetch = coalesce(async () => {
  const before = await queued()
  const request = fetch(`/api/items${as}`, { signal: AbortSignal.timeout(10_000) })
  const answer = await request.then((response) => response.ok && response.json()).catch(() => undefined)
  const after = await queued()
  // What was settled meanwhile may be in it or not; we are called again for that.
  if (!answer || before.some(({ seq }) => !after.some((entry) => entry.seq === seq))) return
  // A new item that was sent may be there already, though nobody has its answer: it is shown as waiting, and not twice.
  const sent = after.filter(({ method, sentAt }) => method === 'POST' && sentAt).map(({ body }) => parse(body).title)
  const known = rows?.map(({ id }) => id)
  draw(answer.filter(({ id, title }) => !known || known.includes(id) || !sent.includes(title)), after)
})

function withWaiting() {
  const items = new Map(rows?.map((row) => [row.id, row]))
  for (const { method, url, body, tempId } of waiting) {
    const name = tempId ?? new URL(url).pathname.split('/').pop()
    const id = realIds.get(name) ?? name
    const fields = body && parse(body)
    if (method === 'DELETE') items.delete(id)
    else if (method === 'POST' || items.has(id)) items.set(id, { ...items.get(id), ...fields, id, waits: true })
  }
  return [...items.values()]
}

// `what` is the change in words. It stays with the entry, behind a # that is not sent, for when it is refused.
async function change(what, method, id, fields) {
  const url = `/api/items${id && `/${id}`}${as}#${encodeURIComponent(what)}`
  const init = { method, headers: { 'Content-Type': 'application/json' }, body: fields && JSON.stringify(fields) }
  sending.add(id)
  const answer = await sync.offlineFetch(url, init).catch((error) => error) // the queue is full, say
  sending.delete(id)
  $('#notice').textContent = answer.ok ? '' : `${what}: ${answer.message ?? reason(await answer.text())}`
  await refetch()
}

const reason = (text) => (text.startsWith('{') ? JSON.parse(text).error.message : 'the server has not taken it')

function draw(...now) {
  [rows, waiting] = now
  newest = Math.max(newest, waiting.at(-1)?.seq ?? 0)
  const texts = { connecting: 'Connecting', live: 'Live', offline: 'Offline', expired: 'Signed out' }
  $('#status').dataset.status = sync.status
  const text = texts[sync.status] + (sync.queue.length ? ` · ${sync.queue.length} waiting` : '')
  if ($('#status').textContent !== text) $('#status').textContent = text // or it would be read aloud again
  place($('#items'), withWaiting(), ({ id }) => realIds.get(id) ?? id, newItem, fillItem)
  place($('#failures'), failures, ({ entry }) => entry.seq, newFailure, () => {})
}

// What is shown keeps its element, and with it the focus and what is being typed, also when it gets its real id.
function place(list, all, keyOf, make, fill) {
  const old = new Map([...list.children].map((li) => [keyOf(li.of), li]))
  const elements = all.map((one) => old.get(keyOf(one)) ?? make(one))
  for (const li of old.values()) if (!elements.includes(li)) li.remove()
  elements.forEach((li, at) => {
    if (list.children[at] !== li) list.insertBefore(li, list.children[at] ?? null)
    fill(li, all[at])
    li.of = all[at]
  })
}

const copyOf = (template) => $(template).content.firstElementChild.cloneNode(true)

function newItem() {
  const li = copyOf('#item')
  const [done, title, , remove] = li.children
  done.onchange = () =>
    change(`${done.checked ? 'Tick' : 'Untick'} “${li.of.title}”`, 'PATCH', li.of.id, { done: done.checked })
  title.onchange = () => {
    const text = title.value.trim()
    if (text) change(`Rename “${li.of.title}” to “${text}”`, 'PATCH', li.of.id, { title: text })
    else title.value = li.of.title
  }
  title.onkeydown = ({ key }) => {
    if (key === 'Escape') title.value = li.of.title
    if (key === 'Escape' || key === 'Enter') title.blur()
  }
  remove.onclick = () => {
    $('#title').focus() // this button is going
    change(`Remove “${li.of.title}”`, 'DELETE', li.of.id)
  }
  return li
}

function fillItem(li, { id, title: text, done: isDone, waits = false }) {
  const [done, title, , remove] = li.children
  if (title !== document.activeElement || title.value === li.of.title) title.value = text // it is not being edited
  if (!sending.has(id)) done.checked = isDone // or a box that was just ticked would flicker
  done.ariaLabel = text
  title.ariaLabel = `Title of ${text}`
  remove.ariaLabel = `Remove ${text}`
  li.toggleAttribute('data-waits', waits)
}

function newFailure({ entry: { seq, url }, response }) {
  const li = copyOf('#failure')
  const [text, again, dismiss] = li.children
  const why = reason(new TextDecoder().decode(response?.body))
  text.textContent = `${decodeURIComponent(new URL(url).hash.slice(1))}: ${why}`
  again.onclick = () => sync.queue.retry(seq)
  dismiss.onclick = () => sync.queue.dismiss(seq)
  return li
}

$('#add').onsubmit = (event) => {
  event.preventDefault()
  const title = $('#title').value.trim()
  change(`Add “${title}”`, 'POST', '', { title })
  event.target.reset()
}

$('#who strong').textContent = user
$(user ? '#app' : '#sign-in').hidden = false
if (user) {
  const update = () => peek().then(refetch)
  addEventListener('pillar:queue', update)
  addEventListener('pillar:status', update) // a fetch may have failed for want of a connection
  addEventListener('pillar:replayed', ({ detail: { entry, id } }) => {
    realIds.set(entry.tempId, id)
    refetch()
  })
  sync.on('item', refetch)
  sync.connect()
  update()
}
