// A board on the browser's own EventSource and fetch: whatever an event concerns is fetched again.
const sessionId = crypto.randomUUID?.() ?? String(Math.random()).slice(2)
const $ = (id) => document.getElementById(id)
let me = null
let stream = null
let current = null
let fresh = null

async function api(method, path, body) {
  const response = await fetch(path, {
    method,
    headers: { 'X-Session-Id': sessionId, ...(body && { 'Content-Type': 'application/json' }) },
    body: body && JSON.stringify(body),
  })
  const answer = response.status === 204 ? null : await response.json()
  if (!response.ok) throw new Error(answer?.error?.message ?? response.statusText)
  return answer
}

// Runs what a click or an event asks for, and shows what goes wrong.
async function attempt(work) {
  try {
    $('problem').textContent = ''
    await work()
  } catch (problem) {
    $('problem').textContent = problem.message
  }
}

function row(text, { id, done, buttons = [] }) {
  const li = document.createElement('li')
  li.append(Object.assign(document.createElement('span'), { textContent: text }))
  for (const [label, work] of buttons) {
    const button = Object.assign(document.createElement('button'), { textContent: label })
    button.onclick = () => attempt(work)
    li.append(button)
  }
  li.classList.toggle('done', Boolean(done))
  li.classList.toggle('fresh', id !== undefined && id === fresh)
  return li
}

async function showProjects() {
  const projects = await api('GET', '/api/projects')
  if (!projects.some((p) => p.id === current)) current = projects[0]?.id ?? null
  $('projects').replaceChildren(
    ...projects.map((p) => {
      const open = async () => {
        current = p.id
        await show()
      }
      const li = row(p.name, { id: p.id, buttons: [['Open', open]] })
      li.classList.toggle('current', p.id === current)
      return li
    }),
  )
  $('project').hidden = !current
  $('project-name').textContent = projects.find((p) => p.id === current)?.name ?? ''
}

async function showProject() {
  if (!current) return
  const [tasks, members] = await Promise.all([
    api('GET', `/api/tasks?projectId=${current}`),
    api('GET', `/api/projects/${current}/members`),
  ])
  const path = (t) => `/api/tasks/${t.id}`
  $('tasks').replaceChildren(
    ...tasks.map((t) =>
      row(t.title, {
        id: t.id,
        done: t.done,
        buttons: [
          ...(t.done ? [] : [['Done', () => api('POST', `${path(t)}/complete`).then(show)]]),
          ['Delete', () => api('DELETE', path(t)).then(show)],
        ],
      }),
    ),
  )
  const member = (m) => `/api/projects/${current}/members/${m.userId}`
  $('members').replaceChildren(
    ...members.map((m) =>
      row(`${m.name}, ${m.role}`, { id: m.userId, buttons: [['Remove', () => api('DELETE', member(m)).then(show)]] }),
    ),
  )
}

async function show() {
  await showProjects()
  await showProject()
  fresh = null
}

function log(text) {
  $('events').prepend(row(text, {}))
  while ($('events').children.length > 50) $('events').lastChild.remove()
}

function connect() {
  stream = new EventSource(`/api/events?sessionId=${sessionId}`)
  const status = (text, live) => {
    $('status').textContent = text
    $('status').classList.toggle('live', live)
  }
  status('connecting', false)
  stream.addEventListener('ready', () => {
    status('live', true)
    attempt(show)
  })
  stream.addEventListener('sync', (message) => {
    const event = JSON.parse(message.data)
    log(`${event.userId ?? 'server'}: ${event.entity} ${event.action}`)
    fresh = event.entityId
    attempt(show)
  })
  stream.addEventListener('resync', () => attempt(show))
  stream.onerror = () => status(stream.readyState === EventSource.CLOSED ? 'closed' : 'reconnecting', false)
}

function signedIn(user) {
  me = user
  $('login').hidden = true
  $('board').hidden = false
  $('logout').hidden = false
  $('who').textContent = me.name
  connect()
}

$('login').onsubmit = (submit) => {
  submit.preventDefault()
  attempt(async () => signedIn((await api('POST', '/api/login', { user: submit.submitter.value })).user))
}
$('logout').onclick = () =>
  attempt(async () => {
    stream?.close()
    await api('POST', '/api/logout')
    location.reload()
  })

function onForm(id, work) {
  $(id).onsubmit = (submit) => {
    submit.preventDefault()
    const fields = Object.fromEntries(new FormData(submit.target))
    attempt(async () => {
      await work(fields)
      submit.target.reset()
      await show()
    })
  }
}
onForm('new-project', async ({ name }) => {
  current = (await api('POST', '/api/projects', { name })).id
})
onForm('new-task', ({ title }) => api('POST', '/api/tasks', { title, projectId: current }))
onForm('new-member', (member) => api('POST', `/api/projects/${current}/members`, member))

fetch('/api/me').then(async (response) => response.ok && signedIn(await response.json()))
