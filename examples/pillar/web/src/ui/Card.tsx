import type { ReactNode } from 'react'
import { dueKind, dueText } from '../dates.js'
import { useSession, useView } from '../hooks/board.js'
import { byName, type Data, type Label, type Task } from '../model.js'
import { Avatar, hueOf } from './Avatar.js'
import { Icon } from './Icon.js'
import { LabelChip } from './LabelChip.js'

interface Props {
  task: Task
  canEdit: boolean
  isLifted: boolean
  isDragged: boolean
  onGrab: (event: React.PointerEvent<HTMLElement>, taskId: string) => void
  onOpen: (taskId: string) => void
  onKey: (event: React.KeyboardEvent, task: Task) => void
  onFocus: (taskId: string) => void
  onBlur: (taskId: string) => void
}

export function Card({ task, canEdit, isLifted, isDragged, onGrab, onOpen, onKey, onFocus, onBlur }: Props): ReactNode {
  const { store } = useSession()
  const { fresh } = useView()
  const { id, title, done } = task
  const highlight = fresh.get(id)
  const path = `/api/tasks/${encodeURIComponent(id)}`
  const toggle = (): void => {
    void (done ? store.change('PATCH', path, { columnId: 'todo' }) : store.change('POST', `${path}/complete`))
  }
  return (
    <li
      className="card"
      data-task={id}
      data-done={done}
      data-lifted={isLifted}
      data-dragged={isDragged}
      data-fresh={highlight !== undefined}
      data-hue={highlight && hueOf(highlight.userId)}
      onPointerDown={canEdit ? (event) => onGrab(event, id) : undefined}
    >
      {highlight?.who && <span className="card-who">{highlight.who}</span>}
      <CardFace
        task={task}
        check={
          <button
            type="button"
            className="card-check"
            aria-label={`${done ? 'Reopen' : 'Complete'} “${title}”`}
            disabled={!canEdit}
            onPointerDown={(event) => event.stopPropagation()}
            onClick={toggle}
          >
            <Icon name="check" />
          </button>
        }
        title={
          <button
            type="button"
            className="card-open"
            aria-describedby="card-keys"
            onClick={() => onOpen(id)}
            onKeyDown={(event) => onKey(event, task)}
            onKeyUp={(event) => event.key === ' ' && event.preventDefault()}
            onFocus={() => onFocus(id)}
            onBlur={() => onBlur(id)}
          >
            {title}
          </button>
        }
      />
    </li>
  )
}

function labelsOf(data: Data, task: Task): Label[] {
  const ids = data.marks.get(task.id)?.labelIds ?? []
  return ids.flatMap((id) => data.labels.get(id) ?? []).sort(byName)
}

interface FaceProps {
  task: Task
  check?: ReactNode
  title?: ReactNode
}

export function CardFace({ task, check, title = task.title }: FaceProps): ReactNode {
  const { data } = useView()
  const labels = labelsOf(data, task)
  return (
    <div className="card-face">
      {labels.length > 0 && (
        <div className="chips">
          {labels.map((label) => (
            <LabelChip key={label.id} label={label} />
          ))}
        </div>
      )}
      <div className="card-line">
        {check ?? (
          <span className="card-check">
            <Icon name="check" />
          </span>
        )}
        <div className="card-title">{title}</div>
      </div>
      <CardFoot task={task} />
    </div>
  )
}

function CardFoot({ task }: { task: Task }): ReactNode {
  const { store } = useSession()
  const { data, waiting } = useView()
  const { id, description, dueDate, recurrence, assigneeId, done } = task
  const category = data.categories.get(data.marks.get(id)?.categoryId ?? '')
  const isWaiting = waiting.has(id)
  if (!description && !dueDate && !recurrence && !assigneeId && !category && !isWaiting) return null
  return (
    <div className="card-foot">
      <div className="metas">
        {dueDate && (
          <span className="meta due" data-kind={done ? 'later' : dueKind(dueDate)}>
            <Icon name="calendar" />
            <span className="unseen">Due: </span>
            {dueText(dueDate)}
          </span>
        )}
        {recurrence && (
          <span className="meta">
            <Icon name="repeat" />
            {recurrence}
          </span>
        )}
        {category && (
          <span className="meta">
            <Icon name="tag" />
            <span className="unseen">Category: </span>
            {category.name}
          </span>
        )}
        {description && (
          <span className="meta" title="It has a description">
            <Icon name="text" />
            <span className="unseen">with a description</span>
          </span>
        )}
        {isWaiting && (
          <span className="meta waiting" title="Waits to be sent">
            <Icon name="clock" />
            <span className="unseen">waits to be sent</span>
          </span>
        )}
      </div>
      {assigneeId && <Avatar userId={assigneeId} name={store.nameOf(assigneeId)} size="small" labelled />}
    </div>
  )
}
