import { useCallback, useLayoutEffect, useMemo, useRef, useState, type ReactNode } from 'react'
import { useSession, useView } from '../hooks/board.js'
import { usePointerDrag } from '../hooks/drag.js'
import { arranged, useLift, type Columns } from '../hooks/lift.js'
import { COLUMNS, memberKey, type Data, type Project, type Task } from '../model.js'
import { moveTask } from '../moves.js'
import { tasksOf } from '../order.js'
import type { Spot } from '../spot.js'
import { CardFace } from './Card.js'
import { Column } from './Column.js'
import { TaskDialog } from './TaskDialog.js'

function isShown(data: Data, task: Task, filter: ReadonlySet<string>): boolean {
  const marks = data.marks.get(task.id)
  const has = new Set([...(marks?.labelIds ?? []), marks?.categoryId])
  return [...filter].every((id) => has.has(id))
}

/** The place behind `after` among the tasks that are shown, told by all that there are. */
function useColumns(project: Project, filter: ReadonlySet<string>): Columns {
  const { data } = useView()
  return useMemo(() => {
    const shown = (id: string): Task[] => tasksOf(data, project.id, id).filter((task) => isShown(data, task, filter))
    return new Map(COLUMNS.map(({ id }) => [id, shown(id)]))
  }, [data, project.id, filter])
}

/** A card that moves to another column is another element: the focus goes with it. */
function useFocusKept(): { noteFocus: (taskId: string | undefined) => void; focusTask: (taskId: string) => void } {
  const focused = useRef<string>(undefined)
  const focusTask = useCallback((taskId: string) => {
    document.querySelector<HTMLElement>(`[data-task="${CSS.escape(taskId)}"] .card-open`)?.focus()
  }, [])
  useLayoutEffect(() => {
    if (focused.current !== undefined && document.activeElement === document.body) focusTask(focused.current)
  })
  const noteFocus = useCallback((taskId: string | undefined) => {
    focused.current = taskId
  }, [])
  return { noteFocus, focusTask }
}

/** The card to which an arrow key leads. */
function neighbour(columns: Columns, task: Task, key: string): Task | undefined {
  const lists = [...columns.values()]
  const column = lists.findIndex((tasks) => tasks.includes(task))
  const index = lists[column]?.indexOf(task) ?? 0
  if (key === 'ArrowUp') return lists[column]?.[index - 1]
  if (key === 'ArrowDown') return lists[column]?.[index + 1]
  const aside = key === 'ArrowLeft' ? lists.slice(0, column).reverse() : lists.slice(column + 1)
  const next = aside.find((tasks) => tasks.length > 0)
  return next?.[Math.min(index, next.length - 1)]
}

export function Board({ project, filter }: { project: Project; filter: ReadonlySet<string> }): ReactNode {
  const { store, user } = useSession()
  const { data } = useView()
  const [open, setOpen] = useState<string>()
  const columns = useColumns(project, filter)
  const board = useRef<HTMLDivElement>(null)
  const drop = useCallback((id: string, spot: Spot) => void moveTask(store, id, spot), [store])
  const { lift, said, press, cancel } = useLift(columns, drop)
  const { drag, ghost, grab } = usePointerDrag(board, drop)
  const { noteFocus, focusTask } = useFocusKept()
  const shown = arranged(columns, lift)
  const canEdit = data.members.get(memberKey(project.id, user.id))?.role !== 'viewer'

  const onKey = (event: React.KeyboardEvent, task: Task): void => {
    if (event.altKey || event.ctrlKey || event.metaKey) return
    if (canEdit && press(event.key, task)) event.preventDefault()
    else if (/^Arrow/.test(event.key)) {
      const next = neighbour(columns, task, event.key)
      if (next) focusTask(next.id)
      event.preventDefault()
    }
  }
  const dragged = drag && data.tasks.get(drag.taskId)
  return (
    <>
      <p id="card-keys" className="unseen">
        {canEdit ? 'Enter opens it. Space lifts it, to move it with the arrow keys.' : 'Enter opens it.'}
      </p>
      <div role="status" aria-live="assertive" className="unseen">
        {said}
      </div>
      <ColumnTabs columns={shown} board={board} />
      <div ref={board} className="columns" data-lifted={lift !== undefined} data-dragging={drag !== undefined}>
        {COLUMNS.map(({ id, name }) => (
          <Column
            key={id}
            id={id}
            name={name}
            project={project}
            tasks={shown.get(id) ?? []}
            isFiltered={filter.size > 0}
            canEdit={canEdit}
            lifted={lift?.taskId}
            drag={drag}
            onGrab={grab}
            onOpen={setOpen}
            onKey={onKey}
            onFocus={noteFocus}
            onBlur={(taskId) => {
              noteFocus(undefined)
              if (lift?.taskId === taskId) cancel()
            }}
          />
        ))}
      </div>
      {drag && dragged && <Ghost task={dragged} drag={drag} box={ghost} />}
      {open !== undefined && (
        <TaskDialog
          key={store.ids.keyOf(open)}
          taskId={store.ids.now(open)}
          canEdit={canEdit}
          onClose={() => setOpen(undefined)}
        />
      )}
    </>
  )
}

interface GhostProps {
  task: Task
  drag: { left: number; top: number; width: number }
  box: React.RefObject<HTMLDivElement | null>
}

/** What follows the pointer. */
function Ghost({ task, drag: { left, top, width }, box }: GhostProps): ReactNode {
  return (
    <div ref={box} className="ghost" style={{ left, top, width }} aria-hidden="true">
      <CardFace task={task} />
    </div>
  )
}

/** On a phone: one column at a time, and the way to the others. */
function ColumnTabs({
  columns,
  board,
}: {
  columns: Columns
  board: React.RefObject<HTMLDivElement | null>
}): ReactNode {
  const show = (id: string): void => {
    const column = board.current?.querySelector(`[data-column="${id}"]`)
    const behavior = matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth'
    column?.scrollIntoView({ behavior, inline: 'start', block: 'nearest' })
  }
  return (
    <div className="column-tabs" role="group" aria-label="Columns">
      {COLUMNS.map(({ id, name }) => (
        <button key={id} type="button" className="column-tab" onClick={() => show(id)}>
          <span className="column-dot" data-column-kind={id} aria-hidden="true" />
          {name} <span className="count">{columns.get(id)?.length ?? 0}</span>
        </button>
      ))}
    </div>
  )
}
