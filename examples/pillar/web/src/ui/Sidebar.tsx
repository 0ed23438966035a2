import { useEffect, useRef, type ReactNode } from 'react'
import { useSession, useView } from '../hooks/board.js'
import { byName, type Data, type Project } from '../model.js'
import { AddForm } from './AddForm.js'
import { Avatar } from './Avatar.js'
import { Icon } from './Icon.js'
import { colorOf } from './LabelChip.js'
import { Logo } from './Logo.js'

interface Props {
  project: Project | undefined
  isOpen: boolean
  onClose: () => void
  onChoose: (id: string) => void
  /** Ids of labels and categories, of which a task that is shown has all. */
  filter: ReadonlySet<string>
  onFilter: (filter: ReadonlySet<string>) => void
  onEditMarks: () => void
  onSignOut: () => void
}

export function Sidebar(props: Props): ReactNode {
  const { user } = useSession()
  const { isOpen, onClose, onSignOut } = props
  const close = useRef<HTMLButtonElement>(null)
  useEffect(() => {
    if (isOpen) close.current?.focus()
  }, [isOpen])
  return (
    <>
      <div className="scrim" onClick={onClose} />
      <nav
        className="sidebar"
        aria-label="Projects and labels"
        onKeyDown={(event) => event.key === 'Escape' && isOpen && onClose()}
      >
        <div className="brand">
          <Logo />
          <span>Task board</span>
          <button
            ref={close}
            type="button"
            className="icon-button only-narrow"
            aria-label="Close the menu"
            onClick={onClose}
          >
            <Icon name="close" />
          </button>
        </div>
        <Projects {...props} />
        <Filters {...props} />
        <div className="me">
          <Avatar userId={user.id} name={user.name} />
          <span className="me-name">{user.name}</span>
          <button type="button" className="icon-button" aria-label="Sign out" title="Sign out" onClick={onSignOut}>
            <Icon name="out" />
          </button>
        </div>
      </nav>
    </>
  )
}

function Projects({ project, onChoose }: Props): ReactNode {
  const { store } = useSession()
  const { data } = useView()
  const all = [...data.projects.values()].sort((a, b) => a.createdAt - b.createdAt)
  const make = async (name: string): Promise<void> => {
    const id = await store.change('POST', '/api/projects', { name })
    if (id !== undefined) onChoose(id)
  }
  return (
    <section className="side-section" aria-labelledby="projects-heading">
      <h2 id="projects-heading">Projects</h2>
      <ul className="side-list">
        {all.map(({ id, name }) => (
          <li key={store.ids.keyOf(id)}>
            <button type="button" className="side-item" aria-current={id === project?.id} onClick={() => onChoose(id)}>
              <span className="side-text">{name}</span>
              <span className="count">
                <span className="unseen">open tasks: </span>
                {openTasks(data, id)}
              </span>
            </button>
          </li>
        ))}
      </ul>
      <AddForm label="New project" button="Add" maxLength={100} onAdd={(name) => void make(name)} />
    </section>
  )
}

function openTasks(data: Data, projectId: string): number {
  return [...data.tasks.values()].filter((task) => task.projectId === projectId && !task.done).length
}

function Filters({ filter, onFilter, onEditMarks }: Props): ReactNode {
  const { data } = useView()
  const toggle = (id: string): void => {
    const next = new Set(filter)
    if (!next.delete(id)) next.add(id)
    onFilter(next)
  }
  return (
    <section className="side-section" aria-labelledby="labels-heading">
      <div className="side-head">
        <h2 id="labels-heading">Labels and categories</h2>
        <button
          type="button"
          className="icon-button icon-small"
          aria-label="Edit labels and categories"
          onClick={onEditMarks}
        >
          <Icon name="settings" />
        </button>
      </div>
      <p className="hint">Only you see these.</p>
      <ul className="side-list">
        {[...data.labels.values()].sort(byName).map(({ id, name, color }) => (
          <FilterItem key={id} name={name} isOn={filter.has(id)} onToggle={() => toggle(id)}>
            <span className="dot" data-color={colorOf(color)} />
          </FilterItem>
        ))}
        {[...data.categories.values()].sort(byName).map(({ id, name }) => (
          <FilterItem key={id} name={name} isOn={filter.has(id)} onToggle={() => toggle(id)}>
            <Icon name="tag" />
          </FilterItem>
        ))}
      </ul>
      {filter.size > 0 && (
        <button type="button" className="button button-small button-quiet" onClick={() => onFilter(new Set())}>
          Show all tasks
        </button>
      )}
    </section>
  )
}

interface FilterItemProps {
  name: string
  isOn: boolean
  onToggle: () => void
  children: ReactNode
}

function FilterItem({ name, isOn, onToggle, children }: FilterItemProps): ReactNode {
  return (
    <li>
      <button type="button" className="side-item" aria-pressed={isOn} title="Show only these" onClick={onToggle}>
        <span className="side-mark" aria-hidden="true">
          {children}
        </span>
        <span className="side-text">{name}</span>
        {isOn && <Icon name="check" />}
      </button>
    </li>
  )
}
