import { useRef, useState, type ReactNode } from 'react'
import { useSession } from '../hooks/board.js'
import type { Drag } from '../hooks/drag.js'
import type { Project, Task } from '../model.js'
import { Card } from './Card.js'
import { Icon } from './Icon.js'

interface Props {
  id: string
  name: string
  project: Project
  tasks: Task[]
  isFiltered: boolean
  canEdit: boolean
  lifted: string | undefined
  drag: Drag | undefined
  onGrab: (event: React.PointerEvent<HTMLElement>, taskId: string) => void
  onOpen: (taskId: string) => void
  onKey: (event: React.KeyboardEvent, task: Task) => void
  onFocus: (taskId: string) => void
  onBlur: (taskId: string) => void
}

export function Column(props: Props): ReactNode {
  const { id, name, project, tasks, isFiltered, canEdit, lifted, drag } = props
  const { store } = useSession()
  const composer = useRef<HTMLInputElement>(null)
  const heading = `column-${id}`
  const gap = drag?.spot.columnId === id ? drag : undefined
  const cards = tasks.flatMap((task) => {
    const key = store.ids.keyOf(task.id)
    const card = (
      <Card
        key={key}
        task={task}
        canEdit={canEdit}
        isLifted={lifted === task.id}
        isDragged={drag?.taskId === task.id}
        onGrab={props.onGrab}
        onOpen={props.onOpen}
        onKey={props.onKey}
        onFocus={props.onFocus}
        onBlur={props.onBlur}
      />
    )
    return gap?.spot.after === task.id ? [card, <Gap key="gap" height={gap.height} />] : [card]
  })
  return (
    <section className="column" data-column={id} data-target={gap !== undefined} aria-labelledby={heading}>
      <header className="column-head">
        <span className="column-dot" data-column-kind={id} aria-hidden="true" />
        <h2 id={heading}>{name}</h2>
        <span className="count">
          {tasks.length}
          <span className="unseen">tasks</span>
        </span>
        <span className="spacer" />
        {canEdit && (
          <button
            type="button"
            className="icon-button"
            aria-label={`Add a task to ${name}`}
            onClick={() => composer.current?.focus()}
          >
            <Icon name="plus" />
          </button>
        )}
      </header>
      <ul className="cards" aria-labelledby={heading}>
        {gap && gap.spot.after === undefined && <Gap height={gap.height} />}
        {cards}
        {tasks.length === 0 && !gap && <li className="empty">{emptyText(id, isFiltered)}</li>}
      </ul>
      {canEdit && <Composer ref={composer} columnId={id} name={name} project={project} />}
    </section>
  )
}

function emptyText(id: string, isFiltered: boolean): string {
  if (isFiltered) return 'Nothing here has these labels.'
  return (
    { todo: 'Nothing to do. Add the first task.', doing: 'Drag a task here when you begin it.' }[id] ??
    'Nothing done yet.'
  )
}

function Gap({ height }: { height: number }): ReactNode {
  return <li className="gap" style={{ height }} aria-hidden="true" />
}

interface ComposerProps {
  ref: React.RefObject<HTMLInputElement | null>
  columnId: string
  name: string
  project: Project
}

/** What is typed here is the component's own: no event touches it. */
function Composer({ ref, columnId, name, project }: ComposerProps): ReactNode {
  const { store } = useSession()
  const [title, setTitle] = useState('')
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault()
        if (!title.trim()) return
        void store.change('POST', '/api/tasks', { title: title.trim(), projectId: project.id, columnId })
        setTitle('')
      }}
    >
      <Icon name="plus" />
      <input
        ref={ref}
        value={title}
        onChange={(event) => setTitle(event.target.value)}
        onKeyDown={(event) => event.key === 'Escape' && setTitle('')}
        placeholder="Add a task"
        aria-label={`New task in ${name}`}
        maxLength={200}
        autoComplete="off"
      />
      {title.trim() && (
        <button type="submit" className="button button-small button-primary">
          Add
        </button>
      )}
    </form>
  )
}
