// Where a task stands among those of its column: a number between those of its neighbours.
import { byOrder, columnOf, type Data, type Task } from './model.js'

export interface Place {
  columnId: string
  /** The task that it is to stand behind; at the top without one. */
  after: string | undefined
}

/** Beneath this, numbers have no room between them. */
const ROOM = 1e-6

export function tasksOf(data: Data, projectId: string, columnId: string): Task[] {
  const isHere = (task: Task): boolean => task.projectId === projectId && columnOf(task) === columnId
  return [...data.tasks.values()].filter(isHere).sort(byOrder)
}

/**
 * The number of a place among `tasks`, which are in order; undefined when there is no room. It is drawn from the middle of
 * the gap: two people who put something into the same gap at once do not get the same one.
 */
export function orderAt(tasks: Task[], after: string | undefined): number | undefined {
  const index = tasks.findIndex(({ id }) => id === after) + 1
  const [before, behind] = [tasks[index - 1]?.order, tasks[index]?.order]
  if (before === undefined && behind === undefined) return 1
  const low = before ?? (behind ?? 0) - 2
  const high = behind ?? low + 2
  if (high - low < ROOM) return undefined
  return low + (high - low) * (0.4 + 0.2 * Math.random())
}

/** Whole numbers for all of them, with `moved` at its place. */
export function respaced(tasks: Task[], moved: string, after: string | undefined): { id: string; order: number }[] {
  const ids = tasks.map(({ id }) => id).filter((id) => id !== moved)
  ids.splice(after === undefined ? 0 : ids.indexOf(after) + 1, 0, moved)
  const first = Math.floor(tasks[0]?.order ?? 1)
  return ids.map((id, index) => ({ id, order: first + index }))
}
