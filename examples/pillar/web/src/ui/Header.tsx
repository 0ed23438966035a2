import type { ReactNode, RefObject } from 'react'
import { useSession, useView } from '../hooks/board.js'
import { useTheme } from '../hooks/theme.js'
import { membersOf, type Project } from '../model.js'
import { Avatar } from './Avatar.js'
import { Icon } from './Icon.js'
import { StatusBadge } from './StatusBadge.js'

interface Props {
  project: Project | undefined
  menuButton: RefObject<HTMLButtonElement | null>
  onMenu: () => void
  onProject: () => void
  isActivityOpen: boolean
  onActivity: () => void
}

export function Header({ project, menuButton, onMenu, onProject, isActivityOpen, onActivity }: Props): ReactNode {
  const [theme, toggleTheme] = useTheme()
  const other = theme === 'dark' ? 'light' : 'dark'
  return (
    <header className="header">
      <button
        ref={menuButton}
        type="button"
        className="icon-button only-narrow"
        aria-label="Projects and labels"
        onClick={onMenu}
      >
        <Icon name="menu" />
      </button>
      <h1 className="project-name">{project?.name ?? 'Task board'}</h1>
      <StatusBadge />
      <span className="spacer" />
      {project && <Members project={project} onOpen={onProject} />}
      <button
        type="button"
        className="icon-button"
        aria-label="Activity"
        aria-expanded={isActivityOpen}
        title="Activity"
        onClick={onActivity}
      >
        <Icon name="activity" />
      </button>
      <button
        type="button"
        className="icon-button"
        aria-label={`Switch to the ${other} theme`}
        title={`Switch to the ${other} theme`}
        onClick={toggleTheme}
      >
        <Icon name={theme === 'dark' ? 'sun' : 'moon'} />
      </button>
    </header>
  )
}

/** How many avatars there is room for. */
const SHOWN = 4
const SHOWN_NARROW = 2

/** How many members are not shown. Their names are in the button's. */
function More({ count, isNarrow = false }: { count: number; isNarrow?: boolean }): ReactNode {
  if (count <= 0) return null
  const width = isNarrow ? 'narrow' : 'wide'
  return <span className={`avatar-more avatar-more-${width}`} data-more={`+${count}`} aria-hidden="true" />
}

function Members({ project, onOpen }: { project: Project; onOpen: () => void }): ReactNode {
  const { store } = useSession()
  const { data } = useView()
  const members = membersOf(data, project.id)
  const names = members.map(({ userId }) => store.nameOf(userId)).join(', ')
  return (
    <button
      type="button"
      className="members-button"
      aria-label={`Share, members and settings: ${names}`}
      onClick={onOpen}
    >
      <span className="avatar-row">
        {members.slice(0, SHOWN).map(({ userId }) => (
          <Avatar key={userId} userId={userId} name={store.nameOf(userId)} />
        ))}
        <More count={members.length - SHOWN} />
        <More count={members.length - SHOWN_NARROW} isNarrow />
      </span>
      <span className="share">
        <Icon name="people" />
        <span>Share</span>
      </span>
    </button>
  )
}
