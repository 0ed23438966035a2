// A task, to look at and to edit.
import { useRef, useState, type ReactNode } from 'react'
import { useSession, useView } from '../hooks/board.js'
import { sameMarks, useDraft, type Draft, type Field, type MarksDraft } from '../hooks/draft.js'
import { COLUMNS, NO_MARKS, columnName, membersOf, type Task } from '../model.js'
import { orderAt, tasksOf } from '../order.js'
import { Dialog } from './Dialog.js'
import { MarksPicker } from './MarksPicker.js'
import { TaskHistory } from './TaskHistory.js'

interface Props {
  taskId: string
  canEdit: boolean
  onClose: () => void
}

/** The task, or what it was before somebody deleted it. */
function useTask(taskId: string): { task: Task | undefined; isGone: boolean } {
  const { data } = useView()
  const now = data.tasks.get(taskId)
  const last = useRef(now)
  if (now) last.current = now
  return { task: last.current, isGone: !now }
}

export function TaskDialog(props: Props): ReactNode {
  const { task, isGone } = useTask(props.taskId)
  if (!task) return null
  return <Editor {...props} task={task} isGone={isGone} />
}

function Editor({ task, isGone, canEdit, onClose }: Props & { task: Task; isGone: boolean }): ReactNode {
  const { store } = useSession()
  const { data } = useView()
  const draft = useDraft(task)
  const name = useName(task.id)
  const stored: MarksDraft = data.marks.get(task.id) ?? NO_MARKS
  const [picked, setPicked] = useState<MarksDraft>()
  // A label that was made a moment ago may have been named by the server since.
  const marks = picked && {
    labelIds: picked.labelIds.map(store.ids.now),
    categoryId: picked.categoryId && store.ids.now(picked.categoryId),
  }
  const [isLeaving, setLeaving] = useState(false)
  const isEdited = Object.keys(draft.changes).length > 0
  const isMarked = marks !== undefined && !sameMarks(marks, stored)
  const close = (): void => (isEdited || isMarked ? setLeaving(true) : onClose())

  const save = (): void => {
    if (!draft.values.title.trim()) return
    if (isGone) void restore()
    else if (isEdited) void store.change('PATCH', `/api/tasks/${encodeURIComponent(task.id)}`, changesOf(task))
    if (isMarked && !isGone) void store.change('PUT', `/api/tasks/${encodeURIComponent(task.id)}/marks`, { ...marks })
    onClose()
  }
  const changesOf = ({ projectId }: Task): Record<string, unknown> => {
    const { title, columnId } = draft.changes
    const column = columnId === undefined ? [] : tasksOf(data, projectId, columnId)
    const order = columnId === undefined ? undefined : orderAt(column, column.at(-1)?.id)
    return {
      ...draft.changes,
      ...(title !== undefined && { title: title.trim() }),
      ...(order !== undefined && { order }),
    }
  }
  const restore = (): Promise<unknown> => {
    const { title, description, columnId, assigneeId, dueDate, recurrence } = draft.values
    const values = { title: title.trim(), description, columnId, assigneeId, dueDate, recurrence }
    return store.change('POST', '/api/tasks', { ...values, projectId: task.projectId })
  }
  return (
    <Dialog title={canEdit ? 'Edit task' : 'Task'} className="task-dialog" onClose={close}>
      <form
        className="task-form"
        onSubmit={(event) => {
          event.preventDefault()
          save()
        }}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) save()
        }}
      >
        <div className="task-scroll">
          {isGone && (
            <p className="conflict" role="alert">
              {whoChanged(name)} deleted this task. What you see is kept here: save it to add it anew.
            </p>
          )}
          <fieldset className="task-fields" disabled={!canEdit}>
            <TextFields task={task} draft={draft} />
            <Properties task={task} draft={draft} />
          </fieldset>
          <MarksPicker marks={marks ?? stored} onChange={setPicked} />
          <TaskHistory task={task} />
        </div>
        <footer className="dialog-foot">
          {isLeaving ? (
            <Leaving onStay={() => setLeaving(false)} onLeave={onClose} />
          ) : (
            <>
              {canEdit && !isGone && <DeleteButton task={task} onDeleted={onClose} />}
              <span className="spacer" />
              <button type="button" className="button" onClick={close}>
                Cancel
              </button>
              <button
                type="submit"
                className="button button-primary"
                disabled={!draft.values.title.trim() || !(isEdited || isMarked || isGone)}
              >
                {isGone ? 'Add it anew' : 'Save'}
              </button>
            </>
          )}
        </footer>
      </form>
    </Dialog>
  )
}

/** Who has changed a task last, as far as this page knows. */
function useName(taskId: string): string | undefined {
  const { store, user } = useSession()
  const userId = useView().changedBy.get(taskId)
  if (userId === user.id) return 'You, elsewhere,'
  return userId === undefined ? undefined : store.nameOf(userId)
}

const whoChanged = (name: string | undefined): string => name ?? 'Somebody'

interface FieldProps {
  task: Task
  draft: Draft
}

function TextFields({ task, draft }: FieldProps): ReactNode {
  return (
    <>
      <label className="field">
        <span className="field-name">Title</span>
        <input
          className="input input-title"
          value={draft.values.title}
          onChange={(event) => draft.set({ title: event.target.value })}
          maxLength={200}
          required
          autoComplete="off"
        />
      </label>
      <Theirs task={task} draft={draft} field="title" />
      <label className="field">
        <span className="field-name">Description</span>
        <textarea
          className="input"
          rows={4}
          value={draft.values.description ?? ''}
          onChange={(event) => draft.set({ description: event.target.value })}
          maxLength={10000}
          placeholder="What is there to know?"
        />
      </label>
      <Theirs task={task} draft={draft} field="description" />
    </>
  )
}

function Properties({ task, draft }: FieldProps): ReactNode {
  const { store } = useSession()
  const { data } = useView()
  const { values, set } = draft
  const recurrences = ['daily', 'weekly', 'monthly'] as const
  return (
    <div className="properties">
      <label className="field">
        <span className="field-name">Column</span>
        <select className="input" value={values.columnId} onChange={(event) => set({ columnId: event.target.value })}>
          {COLUMNS.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
        <Theirs task={task} draft={draft} field="columnId" />
      </label>
      <label className="field">
        <span className="field-name">Assignee</span>
        <select
          className="input"
          value={values.assigneeId ?? ''}
          onChange={(event) => set({ assigneeId: event.target.value || null })}
        >
          <option value="">Nobody</option>
          {membersOf(data, task.projectId).map(({ userId }) => (
            <option key={userId} value={userId}>
              {store.nameOf(userId)}
            </option>
          ))}
        </select>
        <Theirs task={task} draft={draft} field="assigneeId" />
      </label>
      <label className="field">
        <span className="field-name">Due date</span>
        <input
          type="date"
          className="input"
          value={values.dueDate ?? ''}
          onChange={(event) => set({ dueDate: event.target.value || null })}
        />
        <Theirs task={task} draft={draft} field="dueDate" />
      </label>
      <label className="field">
        <span className="field-name">Repeats</span>
        <select
          className="input"
          value={values.recurrence ?? ''}
          onChange={(event) => set({ recurrence: recurrences.find((one) => one === event.target.value) ?? null })}
        >
          <option value="">Never</option>
          {recurrences.map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
        <Theirs task={task} draft={draft} field="recurrence" />
      </label>
    </div>
  )
}

/** What somebody else has made of a field that I am changing. */
function Theirs({ task, draft, field }: FieldProps & { field: Field }): ReactNode {
  const { store } = useSession()
  const name = useName(task.id)
  if (!draft.isContested(field)) return null
  const value = task[field]
  const shown =
    field === 'assigneeId' && value ? store.nameOf(value) : field === 'columnId' ? columnName(task.columnId) : value
  return (
    <div className="conflict" role="alert">
      <p>
        {whoChanged(name)} changed this while you were editing: <strong>{shown ? `“${shown}”` : 'nothing'}</strong>
      </p>
      <div className="notice-buttons">
        <button type="button" className="button button-small" onClick={() => draft.takeTheirs(field)}>
          Use theirs
        </button>
        <button type="button" className="button button-small button-quiet" onClick={() => draft.keepMine(field)}>
          Keep mine
        </button>
      </div>
    </div>
  )
}

function DeleteButton({ task, onDeleted }: { task: Task; onDeleted: () => void }): ReactNode {
  const { store } = useSession()
  const [isAsked, ask] = useState(false)
  const remove = (): void => {
    void store.change('DELETE', `/api/tasks/${encodeURIComponent(task.id)}`)
    onDeleted()
  }
  return (
    <button
      type="button"
      className="button button-danger"
      onClick={isAsked ? remove : () => ask(true)}
      onBlur={() => ask(false)}
    >
      {isAsked ? 'Really delete' : 'Delete'}
    </button>
  )
}

function Leaving({ onStay, onLeave }: { onStay: () => void; onLeave: () => void }): ReactNode {
  return (
    <>
      <p role="alert">Your changes are not saved.</p>
      <span className="spacer" />
      <button type="button" className="button" onClick={onLeave}>
        Discard them
      </button>
      <button type="button" className="button button-primary" autoFocus onClick={onStay}>
        Go on editing
      </button>
    </>
  )
}
