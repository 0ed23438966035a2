// Who did what. What happened before the page was opened is seen from the rows themselves.
import { useEffect, useState, type ReactNode } from 'react'
import { agoText } from '../dates.js'
import { useSession, useView } from '../hooks/board.js'
import type { Data, Project } from '../model.js'
import type { Activity } from '../store.js'
import { Avatar } from './Avatar.js'
import { Icon } from './Icon.js'

const MINUTE_MS = 60_000
const SHOWN = 40

function useMinutes(): void {
  const [, tick] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), MINUTE_MS)
    return () => clearInterval(timer)
  }, [])
}

/** What was added before anything was heard of it. */
function beginnings(data: Data, projectId: string, heard: readonly Activity[]): Activity[] {
  const since = Math.min(...heard.map(({ at }) => at))
  return [...data.tasks.values()]
    .filter((task) => task.projectId === projectId && task.createdAt < since)
    .map(({ title, createdBy, createdAt }, index) => ({
      id: -1 - index,
      userId: createdBy,
      projectId,
      text: `added “${title}”`,
      at: createdAt,
    }))
}

function activityOf(data: Data, project: Project | undefined, all: readonly Activity[]): Activity[] {
  const heard = all.filter(({ projectId }) => projectId === undefined || projectId === project?.id)
  const before = project ? beginnings(data, project.id, heard) : []
  return [...heard, ...before].sort((a, b) => b.at - a.at).slice(0, SHOWN)
}

export function ActivityPanel({ project, onClose }: { project: Project | undefined; onClose: () => void }): ReactNode {
  useMinutes()
  const { data, activity } = useView()
  const shown = activityOf(data, project, activity)
  return (
    <aside className="activity" aria-label="Activity" onKeyDown={(event) => event.key === 'Escape' && onClose()}>
      <div className="activity-head">
        <h2>Activity</h2>
        <button type="button" className="icon-button" aria-label="Close the activity" onClick={onClose}>
          <Icon name="close" />
        </button>
      </div>
      {shown.length === 0 ? (
        <p className="empty">What you and others do shows up here.</p>
      ) : (
        <ol className="activity-list" tabIndex={0} aria-label="Latest first">
          {shown.map((one) => (
            <Item key={one.id} activity={one} />
          ))}
        </ol>
      )}
    </aside>
  )
}

function Item({ activity: { id, userId, text, at } }: { activity: Activity }): ReactNode {
  const { user, store } = useSession()
  const name = store.nameOf(userId)
  return (
    <li className="activity-item" data-new={id > 0}>
      <Avatar userId={userId} name={name} size="small" />
      <p>
        <strong>{userId === user.id ? 'You' : name}</strong> {text}{' '}
        <time dateTime={new Date(at).toISOString()}>{agoText(at)}</time>
      </p>
    </li>
  )
}
