// What an event does to the data. Events may come twice, and a row that is older than the one that is there changes nothing.
import type { SyncEvent } from 'pillar-client'
import { memberKey, type Data, type Table, type Task } from './model.js'
import { isCategory, isLabel, isMarks, isMember, isPlaces, isProject, isTask } from './rows.js'

function put<Row>(table: Table<Row>, key: string, row: Row): Table<Row> {
  return new Map(table).set(key, row)
}

function drop<Row>(table: Table<Row>, key: string | undefined): Table<Row> {
  if (key === undefined || !table.has(key)) return table
  const rest = new Map(table)
  rest.delete(key)
  return rest
}

function without<Row>(table: Table<Row>, isGone: (row: Row) => boolean): Table<Row> {
  return new Map([...table].filter(([, row]) => !isGone(row)))
}

const isEnd = (action: string): boolean => action === 'deleted' || action === 'removed'

function applyTask(data: Data, event: SyncEvent): Data {
  if (isEnd(event.action)) {
    return { ...data, tasks: drop(data.tasks, event.entityId), marks: drop(data.marks, event.entityId) }
  }
  if (isMarks(event.data)) return { ...data, marks: put(data.marks, event.data.taskId, event.data) }
  if (isPlaces(event.data)) return { ...data, tasks: reordered(data.tasks, event.data.tasks) }
  const known = data.tasks.get(event.entityId ?? '')
  if (!isTask(event.data) || (known && known.updatedAt > event.data.updatedAt)) return data
  return { ...data, tasks: put(data.tasks, event.data.id, event.data) }
}

function reordered(tasks: Table<Task>, places: { id: string; order: number }[]): Table<Task> {
  const changed = new Map(tasks)
  for (const { id, order } of places) {
    const task = changed.get(id)
    if (task) changed.set(id, { ...task, order })
  }
  return changed
}

function applyProject(data: Data, event: SyncEvent): Data {
  if (isEnd(event.action)) {
    const isGone = ({ projectId }: { projectId: string }): boolean => projectId === event.entityId
    return {
      ...data,
      projects: drop(data.projects, event.entityId),
      members: without(data.members, isGone),
      tasks: without(data.tasks, isGone),
    }
  }
  return isProject(event.data) ? { ...data, projects: put(data.projects, event.data.id, event.data) } : data
}

function applyMember(data: Data, event: SyncEvent): Data {
  const key = memberKey(event.projectId ?? '', event.entityId ?? '')
  if (isEnd(event.action)) return { ...data, members: drop(data.members, key) }
  return isMember(event.data) ? { ...data, members: put(data.members, key, event.data) } : data
}

function applyLabel(data: Data, event: SyncEvent): Data {
  if (isEnd(event.action)) return { ...data, labels: drop(data.labels, event.entityId) }
  return isLabel(event.data) ? { ...data, labels: put(data.labels, event.data.id, event.data) } : data
}

function applyCategory(data: Data, event: SyncEvent): Data {
  if (isEnd(event.action)) return { ...data, categories: drop(data.categories, event.entityId) }
  return isCategory(event.data) ? { ...data, categories: put(data.categories, event.data.id, event.data) } : data
}

const appliers: Record<string, (data: Data, event: SyncEvent) => Data> = {
  task: applyTask,
  project: applyProject,
  member: applyMember,
  label: applyLabel,
  category: applyCategory,
}

export function apply(data: Data, event: SyncEvent): Data {
  return appliers[event.entity]?.(data, event) ?? data
}
