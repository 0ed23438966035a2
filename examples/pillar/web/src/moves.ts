// Moving a task: its column and its place, in one change.
import { columnOf } from './model.js'
import { orderAt, respaced, tasksOf, type Place } from './order.js'
import type { Store } from './store.js'

export async function moveTask(store: Store, id: string, { columnId, after }: Place): Promise<void> {
  const { data } = store.snapshot()
  const task = data.tasks.get(id)
  if (!task) return
  const column = tasksOf(data, task.projectId, columnId)
  const others = column.filter((other) => other.id !== id)
  if (columnOf(task) === columnId && others[column.indexOf(task) - 1]?.id === after) return
  const path = `/api/tasks/${encodeURIComponent(id)}`
  const order = orderAt(others, after)
  if (order !== undefined) return void store.change('PATCH', path, placed(task.columnId, columnId, order))
  // Numbers have become too fine here: the column is numbered anew.
  if (columnOf(task) !== columnId) void store.change('PATCH', path, { columnId })
  await store.change('POST', '/api/tasks/reorder', { tasks: respaced(others, id, after) })
}

function placed(from: string, columnId: string, order: number): { order: number; columnId?: string } {
  return from === columnId ? { order } : { columnId, order }
}
