// Moving a task by keyboard: Space lifts it, arrows carry it, Space puts it down, Escape puts it back.
import { useCallback, useState } from 'react'
import { COLUMNS, columnName, columnOf, type Task } from '../model.js'
import type { Spot } from '../spot.js'

export interface Lift {
  taskId: string
  spot: Spot
}

export type Columns = ReadonlyMap<string, Task[]>

/** The columns with a task at another place. */
export function arranged(columns: Columns, lift: Lift | undefined): Columns {
  const task = lift && [...columns.values()].flat().find(({ id }) => id === lift.taskId)
  if (!lift || !task) return columns
  return new Map(
    [...columns].map(([id, tasks]) => {
      const others = tasks.filter((other) => other !== task)
      const index = others.findIndex((other) => other.id === lift.spot.after) + 1
      return [id, id === lift.spot.columnId ? others.toSpliced(index, 0, task) : others]
    }),
  )
}

function spotOf(columns: Columns, task: Task): Spot {
  const columnId = columnOf(task)
  const tasks = columns.get(columnId) ?? []
  return { columnId, after: tasks[tasks.indexOf(task) - 1]?.id }
}

function spotAt(columns: Columns, lift: Lift, columnId: string, index: number): Spot {
  const others = (columns.get(columnId) ?? []).filter(({ id }) => id !== lift.taskId)
  const place = Math.max(0, Math.min(index, others.length))
  return { columnId, after: others[place - 1]?.id }
}

function indexOf(columns: Columns, lift: Lift): number {
  const others = (columns.get(lift.spot.columnId) ?? []).filter(({ id }) => id !== lift.taskId)
  return others.findIndex(({ id }) => id === lift.spot.after) + 1
}

function carried(columns: Columns, lift: Lift, key: string): Spot {
  const index = indexOf(columns, lift)
  const { columnId } = lift.spot
  if (key === 'ArrowUp' || key === 'ArrowDown')
    return spotAt(columns, lift, columnId, index + (key === 'ArrowUp' ? -1 : 1))
  const column = COLUMNS.findIndex(({ id }) => id === columnId) + (key === 'ArrowLeft' ? -1 : 1)
  return spotAt(columns, lift, COLUMNS[Math.max(0, Math.min(column, COLUMNS.length - 1))]?.id ?? columnId, index)
}

function placeText(columns: Columns, lift: Lift): string {
  const count = (columns.get(lift.spot.columnId) ?? []).filter(({ id }) => id !== lift.taskId).length + 1
  return `${columnName(lift.spot.columnId)}, ${indexOf(columns, lift) + 1} of ${count}`
}

const isArrow = (key: string): boolean => /^Arrow(Up|Down|Left|Right)$/.test(key)

export interface KeyboardLift {
  lift: Lift | undefined
  /** What is to be said of it. */
  said: string
  /** True if the key was meant for it. */
  press: (key: string, task: Task) => boolean
  cancel: () => void
}

export function useLift(columns: Columns, onDrop: (taskId: string, spot: Spot) => void): KeyboardLift {
  const [held, setLift] = useState<Lift>()
  // Somebody may have deleted what is held.
  const lift = [...columns.values()].flat().some(({ id }) => id === held?.taskId) ? held : undefined
  const [said, say] = useState('')

  const cancel = useCallback(() => {
    setLift(undefined)
    if (lift) say('Put back.')
  }, [lift])

  const press = (key: string, task: Task): boolean => {
    if (!lift) {
      if (key !== ' ') return false
      const lifted = { taskId: task.id, spot: spotOf(columns, task) }
      setLift(lifted)
      say(
        `Lifted “${task.title}”: ${placeText(columns, lifted)}. Arrow keys move it, Space puts it down, Escape puts it back.`,
      )
      return true
    }
    if (key === 'Escape') cancel()
    else if (key === ' ' || key === 'Enter') {
      setLift(undefined)
      onDrop(lift.taskId, lift.spot)
      say(`Put down: ${placeText(columns, lift)}.`)
    } else if (isArrow(key)) {
      const next = { ...lift, spot: carried(columns, lift, key) }
      setLift(next)
      say(placeText(columns, next))
    } else return false
    return true
  }
  return { lift, said, press, cancel }
}
