// A change that this page makes is a request. What it does to the data is told in events, like everything else: a guess
// while there is no answer, the truth once there is one.
import type { SyncEvent } from 'pillar-client'
import type { Data } from './model.js'
import { isFields, type Fields } from './rows.js'

export interface Change {
  /** The request's `Idempotency-Key`. */
  key: string
  method: string
  path: string
  body: Fields
  /** What it was to do, in words, as the rows were called when it was made. */
  what: string
  /** The tab's that made it, where that may be another one. */
  sessionId?: string
  /** Of a creation: what the row is called until the server has named it. */
  tempId?: string
  /** It waits in the queue, and was not sent by this page. */
  queued: boolean
}

interface Where {
  data: Data
  userId: string
}

const entities: Record<string, string> = {
  tasks: 'task',
  projects: 'project',
  labels: 'label',
  categories: 'category',
}

const actions: Record<string, string> = { POST: 'created', PATCH: 'updated', PUT: 'updated', DELETE: 'deleted' }

function guessTask({ data, userId }: Where, { tempId, body }: Change): Fields {
  const orders = [...data.tasks.values()].filter((t) => t.projectId === body['projectId']).map((t) => t.order)
  const now = Date.now()
  const empty = { description: null, columnId: 'todo', assigneeId: null, dueDate: null, recurrence: null }
  const order = Math.max(0, ...orders) + 1
  return { ...empty, order, createdBy: userId, createdAt: now, updatedAt: now, done: false, ...body, id: tempId }
}

function guessRow(where: Where, change: Change, entity: string, id: string | undefined): Fields | undefined {
  if (id === undefined) {
    if (entity === 'task') return guessTask(where, change)
    return { createdBy: where.userId, createdAt: Date.now(), ...change.body, id: change.tempId }
  }
  const { tasks, projects, labels, categories } = where.data
  const known = { task: tasks, project: projects, label: labels, category: categories }[entity]?.get(id)
  if (!known) return undefined
  const row: Fields = { ...known, ...change.body, id }
  if (entity === 'task' && change.body['columnId'] !== undefined) row['done'] = row['columnId'] === 'done'
  return row
}

function ofRow(where: Where, change: Change, answer: unknown, [name = '', id]: string[]): SyncEvent[] {
  const entity = entities[name]
  const action = actions[change.method]
  if (!entity || !action) return []
  if (action === 'deleted') return [{ entity, action, ...(id !== undefined && { entityId: id }) }]
  const data = isFields(answer) ? answer : guessRow(where, change, entity, id)
  if (!data) return []
  const made: SyncEvent = { entity, action, entityId: String(data['id']), data }
  return entity === 'project' && action === 'created' ? [made, ownership(where, String(data['id']))] : [made]
}

/** Who makes a project owns it. */
function ownership({ userId }: Where, projectId: string): SyncEvent {
  return {
    entity: 'member',
    action: 'created',
    entityId: userId,
    projectId,
    data: { projectId, userId, role: 'owner' },
  }
}

function ofMember(where: Where, { method, body }: Change, answer: unknown, path: string[]): SyncEvent[] {
  const [, projectId = '', , id] = path
  const userId = id ?? String(body['userId'])
  const data = isFields(answer) ? answer : { projectId, userId, ...body }
  const member: SyncEvent = { entity: 'member', action: actions[method] ?? '', entityId: userId, projectId, data }
  const isLeaving = method === 'DELETE' && userId === where.userId
  return isLeaving ? [member, { entity: 'project', action: 'removed', entityId: projectId, projectId }] : [member]
}

function ofCompletion({ data }: Where, _: Change, answer: unknown, [, id = '']: string[]): SyncEvent[] {
  const task = data.tasks.get(id)
  const row = isFields(answer) ? answer : task && { ...task, done: true, columnId: 'done' }
  return row ? [{ entity: 'task', action: 'updated', entityId: id, data: row }] : []
}

function ofPlaces(_: Where, { body }: Change): SyncEvent[] {
  return [{ entity: 'task', action: 'reordered', data: body }]
}

function ofMarks(_: Where, { body }: Change, answer: unknown, [, taskId = '']: string[]): SyncEvent[] {
  const data = isFields(answer) ? answer : { ...body, taskId }
  return [{ entity: 'task', action: 'marked', entityId: taskId, data }]
}

type Teller = (where: Where, change: Change, answer: unknown, path: string[]) => SyncEvent[]

const tellers: [RegExp, Teller][] = [
  [/^projects\/[^/]+\/members/, ofMember],
  [/^tasks\/reorder$/, ofPlaces],
  [/^tasks\/[^/]+\/complete$/, ofCompletion],
  [/^tasks\/[^/]+\/marks$/, ofMarks],
  [/./, ofRow],
]

/** What a change does, as the server's answer says, or as may be expected while there is none. */
export function told(where: Where, change: Change, answer?: unknown): SyncEvent[] {
  const path = change.path.replace(/^\/api\//, '')
  const tell = tellers.find(([pattern]) => pattern.test(path))?.[1]
  return tell?.(where, change, answer, path.split('/').map(decodeURIComponent)) ?? []
}

/** Whether a POST to this path makes a row, so that it has a temporary id until it is answered. */
export function creates(path: string): boolean {
  return /^\/api\/(tasks|projects|labels|categories)$/.test(path)
}

/** The same change, with ids as `now` says that they are. */
export function renamed(change: Change, now: (id: string) => string): Change {
  const path = change.path.split('/').map(now).join('/')
  const body = renamedIn(change.body, now)
  return { ...change, path, body: isFields(body) ? body : {} }
}

function renamedIn(value: unknown, now: (id: string) => string): unknown {
  if (typeof value === 'string') return now(value)
  if (Array.isArray(value)) return value.map((one) => renamedIn(one, now))
  if (!isFields(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, renamedIn(one, now)]))
}

/**
 * The address that a change is sent to. What it is to do stands behind it, in the fragment, which the queue keeps and no
 * server sees: the row may be gone, name and all, when it turns out that it was not done.
 */
export function addressOf({ path, what }: Change): string {
  return `${path}#${encodeURIComponent(what)}`
}

/** Whether what a change is about is there. */
export function hasTarget(data: Data, { path, body }: Change): boolean {
  const [, , name = '', id] = path.split('/').map(decodeURIComponent)
  const { tasks, projects, labels, categories } = data
  if (name === 'tasks' && id === undefined) return projects.has(String(body['projectId']))
  const rows = { tasks, projects, labels, categories }[name]
  return id === undefined || id === 'reorder' || rows === undefined || rows.has(id)
}

/** Whether a change is about a row, by path or by body. */
export function mentions(change: Change, id: string): boolean {
  return change.path.split('/').includes(id) || JSON.stringify(change.body).includes(JSON.stringify(id))
}
