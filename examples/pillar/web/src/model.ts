// The rows as the broker tells them, and all of them together.

export interface User {
  id: string
  name: string
}

export interface Project {
  id: string
  name: string
  createdBy: string
  createdAt: number
}

export type Role = 'owner' | 'editor' | 'viewer'

export interface Member {
  projectId: string
  userId: string
  role: Role
}

export type Recurrence = 'daily' | 'weekly' | 'monthly'

export interface Task {
  id: string
  projectId: string
  title: string
  description: string | null
  columnId: string
  assigneeId: string | null
  dueDate: string | null
  recurrence: Recurrence | null
  done: boolean
  order: number
  createdBy: string
  createdAt: number
  /** Grows with each change of the row. */
  updatedAt: number
}

export interface Label {
  id: string
  name: string
  color: string
}

export interface Category {
  id: string
  name: string
}

/** How this user files a task; nobody else sees that. */
export interface Marks {
  taskId: string
  labelIds: string[]
  categoryId: string | null
}

export type Table<Row> = ReadonlyMap<string, Row>

export interface Data {
  projects: Table<Project>
  /** By `memberKey`. */
  members: Table<Member>
  tasks: Table<Task>
  labels: Table<Label>
  categories: Table<Category>
  /** By task. */
  marks: Table<Marks>
}

export const NOTHING: Data = {
  projects: new Map(),
  members: new Map(),
  tasks: new Map(),
  labels: new Map(),
  categories: new Map(),
  marks: new Map(),
}

export const COLUMNS = [
  { id: 'todo', name: 'To do' },
  { id: 'doing', name: 'Doing' },
  { id: 'done', name: 'Done' },
] as const

export const NO_MARKS: Omit<Marks, 'taskId'> = { labelIds: [], categoryId: null }

export function memberKey(projectId: string, userId: string): string {
  return `${projectId}/${userId}`
}

export function columnName(id: string): string {
  return COLUMNS.find((column) => column.id === id)?.name ?? id
}

/** Tasks of a column that nobody knows are shown in the first one. */
export function columnOf(task: Task): string {
  return COLUMNS.some(({ id }) => id === task.columnId) ? task.columnId : COLUMNS[0].id
}

export function byOrder(a: Task, b: Task): number {
  return a.order - b.order || (a.id < b.id ? -1 : 1)
}

export function membersOf(data: Data, projectId: string): Member[] {
  return [...data.members.values()].filter((member) => member.projectId === projectId)
}

export function byName(a: { name: string }, b: { name: string }): number {
  return a.name.localeCompare(b.name)
}
