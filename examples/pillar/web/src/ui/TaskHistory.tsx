import type { ReactNode } from 'react'
import { agoText } from '../dates.js'
import { useSession } from '../hooks/board.js'
import type { Task } from '../model.js'

export function TaskHistory({ task }: { task: Task }): ReactNode {
  const { store } = useSession()
  return (
    <p className="task-history">
      Added by {store.nameOf(task.createdBy)} {agoText(task.createdAt)}
      {task.updatedAt > task.createdAt && `, changed ${agoText(task.updatedAt)}`}
    </p>
  )
}
