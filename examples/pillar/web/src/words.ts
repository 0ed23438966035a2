// Changes in words: what somebody did, what was to be done, and why it was not.
import type { FailureDetail, StoredResponse, SyncEvent } from 'pillar-client'
import { messageOf } from './api.js'
import { told, type Change } from './changes.js'
import { columnName, columnOf, memberKey, type Data, type Task } from './model.js'

type NameOf = (userId: string | undefined) => string

/** Those that there are, and which of them reads this. */
export interface People {
  me: string
  nameOf: NameOf
}

/** In words, from the data before and after. */
export function describe(event: SyncEvent, before: Data, after: Data, people: People): string {
  return (describers[event.entity] ?? (() => ''))(event, before, after, people)
}

type Describer = (event: SyncEvent, before: Data, after: Data, people: People) => string

function describeTask(event: SyncEvent, before: Data, after: Data, { nameOf }: People): string {
  const id = event.entityId ?? ''
  const [was, is] = [before.tasks.get(id), after.tasks.get(id)]
  if (event.action === 'reordered') return 'put tasks into another order'
  if (event.action === 'marked') return ''
  if (!is) return was ? `deleted “${was.title}”` : ''
  if (!was) return `${event.action === 'updated' ? 'changed' : 'added'} “${is.title}”`
  return describeUpdate(was, is, nameOf)
}

const fieldNames: [keyof Task, string][] = [
  ['description', 'the description'],
  ['dueDate', 'the due date'],
  ['recurrence', 'the recurrence'],
]

function describeUpdate(was: Task, is: Task, nameOf: NameOf): string {
  const said: string[] = []
  if (is.done && !was.done) said.push(`completed “${is.title}”`)
  else if (columnOf(is) !== columnOf(was)) said.push(`moved “${is.title}” to ${columnName(columnOf(is))}`)
  if (is.title !== was.title) said.push(`renamed “${was.title}” to “${is.title}”`)
  if (is.assigneeId !== was.assigneeId) {
    said.push(is.assigneeId ? `gave “${is.title}” to ${nameOf(is.assigneeId)}` : `left “${is.title}” to nobody`)
  }
  const fields = fieldNames.filter(([name]) => is[name] !== was[name]).map(([, text]) => text)
  if (fields.length > 0) said.push(`changed ${fields.join(' and ')} of “${is.title}”`)
  if (said.length === 0 && is.order !== was.order) said.push(`moved “${is.title}” within ${columnName(columnOf(is))}`)
  return said.join(', ')
}

const describers: Record<string, Describer> = {
  task: describeTask,
  project(event, before, after, { me }) {
    const id = event.entityId ?? ''
    const [was, is] = [before.projects.get(id), after.projects.get(id)]
    const isMine = event.userId === me
    if (!is && event.action === 'removed') return was && !isMine ? `took you out of “${was.name}”` : ''
    if (!is) return was ? `deleted the project “${was.name}”` : ''
    if (!was) return isMine ? `made the project “${is.name}”` : `added you to “${is.name}”`
    return was.name === is.name ? '' : `renamed the project to “${is.name}”`
  },
  member(event, before, after, { me, nameOf }) {
    const { entityId = '', projectId = '' } = event
    const key = memberKey(projectId, entityId)
    const [was, is] = [before.members.get(key), after.members.get(key)]
    const name = entityId === me ? 'you' : nameOf(entityId)
    if (!is && event.userId === entityId) return was ? `left “${before.projects.get(projectId)?.name}”` : ''
    // Who comes in, or is sent away, is told so by the project's event.
    if ((!is || !was) && entityId === me) return ''
    if (!is) return was ? `took ${name} out` : ''
    return was
      ? `made ${name} ${is.role === 'owner' ? 'an owner' : `an ${is.role}`.replace('an v', 'a v')}`
      : `added ${name}`
  },
}

/** How many changes have, or have not. */
export function changesText(count: number): string {
  return count === 1 ? '1 change has' : `${count} changes have`
}

/** What a change is to do, for those who have to decide what becomes of it. */
export function intentOf(change: Change, data: Data, people: People): string {
  const [event] = told({ data, userId: people.me }, change)
  const id = event?.entityId ?? ''
  const row = [data.tasks, data.projects, data.labels, data.categories].find((rows) => rows.has(id))?.get(id)
  const known = row && ('title' in row ? row.title : row.name)
  const own = change.body['title'] ?? change.body['name']
  const verb = { POST: 'Adding', DELETE: 'Deleting' }[change.method] ?? 'Changing'
  if (event?.entity === 'member') return memberIntent(change, event, data, people)
  if (/\/reorder$/.test(change.path)) return 'Moving tasks'
  if (/\/complete$/.test(change.path)) return `Completing “${known ?? 'a task'}”`
  return `${verb} “${known ?? (typeof own === 'string' ? own : (event?.entity ?? 'something'))}”`
}

function memberIntent({ method }: Change, { entityId, projectId }: SyncEvent, data: Data, people: People): string {
  const name = people.nameOf(entityId)
  if (method === 'POST') return `Adding ${name}`
  if (method !== 'DELETE') return `Changing the role of ${name}`
  if (entityId !== people.me) return `Taking ${name} out`
  return `Leaving “${data.projects.get(projectId ?? '')?.name ?? 'the project'}”`
}

/** What is in an answer, if it is JSON. */
export function bodyOf(response: StoredResponse | undefined): unknown {
  try {
    return response && JSON.parse(new TextDecoder().decode(response.body))
  } catch {
    return undefined
  }
}

/** What the same request will be answered with again. */
const LASTING = [400, 404, 405, 410, 413, 422]

/** Whether a change that was refused may be taken when it is sent once more; `isThere`: what it is about. */
export function mayBeTaken({ response }: FailureDetail, isThere: boolean): boolean {
  if (!response) return true
  return !LASTING.includes(response.status) && (isThere || response.status !== 403)
}

/** Why a change was not taken. */
export function reasonOf({ reason, response }: FailureDetail): string {
  if (reason === 'depends') return 'it concerns something that could not be added'
  if (reason === 'uncertain') return 'its answer was lost, so it may have been saved already'
  return (
    messageOf(bodyOf(response)) ?? (response ? `the server answered ${response.status}` : 'the server did not take it')
  )
}
