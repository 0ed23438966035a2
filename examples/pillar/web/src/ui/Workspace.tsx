// The page of somebody who is signed in.
import { useSyncSubscription } from 'pillar-client/react'
import { useCallback, useEffect, useRef, useState, useSyncExternalStore, type ReactNode } from 'react'
import { createPortal } from 'react-dom'
import { useSession, useView } from '../hooks/board.js'
import { useStored } from '../hooks/stored.js'
import type { Project } from '../model.js'
import { ActivityPanel } from './ActivityPanel.js'
import { Banner } from './Banner.js'
import { Board } from './Board.js'
import { TopLayer } from './Dialog.js'
import { Header } from './Header.js'
import { MarksDialog } from './MarksDialog.js'
import { NoProject } from './NoProject.js'
import { Notices } from './Notices.js'
import { ProjectDialog } from './ProjectDialog.js'
import { Sidebar } from './Sidebar.js'
import { useSignOut } from './SignOut.js'

/** Hands the store what the stream and the queue tell. */
function useTold(): void {
  const { store } = useSession()
  const isLeaving = useRef(false)
  const isMine = useCallback((): boolean => {
    const { userId } = store.sync
    if (userId === undefined || userId === store.user.id) return true
    // Somebody else has signed in, in another tab: this page is theirs now. A reload that is under way would begin anew with
    // each further one.
    if (!isLeaving.current) location.reload()
    isLeaving.current = true
    return false
  }, [store])
  useSyncSubscription('*', (event) => isMine() && store.receive(event))
  useEffect(() => {
    const over = new AbortController()
    const { signal } = over
    window.addEventListener('pillar:queue', () => void store.readQueue(), { signal })
    window.addEventListener('pillar:replayed', ({ detail }) => store.replayed(detail), { signal })
    window.addEventListener('pillar:failure', ({ detail }) => store.failed(detail), { signal })
    window.addEventListener('pillar:status', () => isMine() && store.sync.status === 'live' && store.catchUp(), {
      signal,
    })
    return () => over.abort()
  }, [store, isMine])
}

function useProject(): [Project | undefined, (id: string) => void] {
  const { store } = useSession()
  const { data } = useView()
  const [chosen, choose] = useStored('board project', '')
  const all = [...data.projects.values()].sort((a, b) => a.createdAt - b.createdAt)
  return [data.projects.get(store.ids.now(chosen)) ?? all[0], choose]
}

/** A dialog: that of a project, by id, goes with the project. */
type Open = { kind: 'project'; id: string } | { kind: 'marks' } | undefined

export function Workspace({ onSignedOut }: { onSignedOut: () => void }): ReactNode {
  useTold()
  const { store } = useSession()
  const { data, loaded } = useView()
  const [project, choose] = useProject()
  const [open, setOpen] = useState<Open>()
  const [top, setTop] = useState<HTMLElement | null>(null)
  const [isMenuOpen, setMenuOpen] = useState(false)
  const [activity, setActivity] = useStored(
    'board activity',
    // Below that it leaves too little room for three columns.
    matchMedia('(min-width: 90rem)').matches ? 'open' : 'closed',
  )
  const signOut = useSignOut(onSignedOut)
  const menuButton = useRef<HTMLButtonElement>(null)
  const [filter, setFilter] = useState<ReadonlySet<string>>(new Set())

  const opened = open?.kind === 'project' ? data.projects.get(store.ids.now(open.id)) : undefined
  if (open?.kind === 'project' && !opened) setOpen(undefined)

  const closeMenu = (): void => {
    setMenuOpen(false)
    setTimeout(() => menuButton.current?.focus())
  }
  return (
    <TopLayer value={setTop}>
      <div className="workspace" data-activity={activity} data-menu={isMenuOpen ? 'open' : 'closed'}>
        <a className="skip" href="#board">
          Skip to the board
        </a>
        <Sidebar
          project={project}
          isOpen={isMenuOpen}
          onClose={closeMenu}
          onChoose={(id) => {
            choose(id)
            setMenuOpen(false)
          }}
          filter={filter}
          onFilter={setFilter}
          onEditMarks={() => setOpen({ kind: 'marks' })}
          onSignOut={signOut.begin}
        />
        <div className="main" inert={isMenuOpen}>
          <Header
            project={project}
            menuButton={menuButton}
            onMenu={() => setMenuOpen(true)}
            onProject={() => project && setOpen({ kind: 'project', id: project.id })}
            isActivityOpen={activity === 'open'}
            onActivity={() => setActivity(activity === 'open' ? 'closed' : 'open')}
          />
          <Banner />
          <main id="board" tabIndex={-1} className="stage">
            {project ? (
              <Board key={store.ids.keyOf(project.id)} project={project} filter={filter} />
            ) : (
              <NoProject loaded={loaded} onMade={choose} />
            )}
          </main>
        </div>
        {activity === 'open' && <ActivityPanel project={project} onClose={() => setActivity('closed')} />}
        {createPortal(<Notices />, top ?? document.body)}
        <Announcements />
        {signOut.question}
        {opened && <ProjectDialog project={opened} onClose={() => setOpen(undefined)} />}
        {open?.kind === 'marks' && <MarksDialog onClose={() => setOpen(undefined)} />}
      </div>
    </TopLayer>
  )
}

function Announcements(): ReactNode {
  const { announcer } = useSession()
  const text = useSyncExternalStore(announcer.subscribe, announcer.text)
  return (
    <div className="unseen" role="log" aria-live="polite" aria-label="Changes by others">
      {text}
    </div>
  )
}
