// All that a user may see.
import { get } from './api.js'
import { memberKey, type Data } from './model.js'
import { isCategory, isLabel, isMarks, isMember, isProject, isTask, isUser } from './rows.js'
import type { User } from './model.js'

async function rows<Row>(path: string, check: (value: unknown) => value is Row): Promise<Row[]> {
  const { body } = await get(path)
  return Array.isArray(body) ? body.filter(check) : []
}

function table<Row>(all: Row[], keyOf: (row: Row) => string): ReadonlyMap<string, Row> {
  return new Map(all.map((row) => [keyOf(row), row]))
}

const id = (row: { id: string }): string => row.id

export async function loadData(): Promise<Data> {
  const [projects, members, tasks, labels, categories, marks] = await Promise.all([
    rows('/api/projects', isProject),
    rows('/api/members', isMember),
    rows('/api/tasks', isTask),
    rows('/api/labels', isLabel),
    rows('/api/categories', isCategory),
    rows('/api/marks', isMarks),
  ])
  return {
    projects: table(projects, id),
    members: table(members, (member) => memberKey(member.projectId, member.userId)),
    tasks: table(tasks, id),
    labels: table(labels, id),
    categories: table(categories, id),
    marks: table(marks, ({ taskId }) => taskId),
  }
}

export async function loadUsers(): Promise<User[]> {
  return rows('/api/users', isUser)
}

export interface Visit {
  user: User
  /** Taken before anything else was read, so that whatever changed since is told by the stream. */
  position: string | undefined
}

/** Who is signed in. Rejects with a `Refusal` of status 401 when nobody is. */
export async function loadVisit(): Promise<Visit> {
  const { body, position } = await get('/api/me')
  if (!isUser(body)) throw new Error('the server did not say who is signed in')
  return { user: body, position }
}
