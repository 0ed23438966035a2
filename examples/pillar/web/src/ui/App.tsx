import { RealtimeProvider } from 'pillar-client/react'
import { useCallback, useEffect, useState, type ReactNode } from 'react'
import { Refusal } from '../api.js'
import { SessionContext } from '../hooks/board.js'
import { openSession, type Session } from '../session.js'
import { Logo } from './Logo.js'
import { SignIn } from './SignIn.js'
import { Workspace } from './Workspace.js'

type State = { kind: 'opening' } | { kind: 'unreachable' } | { kind: 'signed-out' } | { kind: 'open'; session: Session }

const opened = (session: Session): State => ({ kind: 'open', session })

function notOpened(problem: unknown): State {
  return { kind: problem instanceof Refusal && problem.status === 401 ? 'signed-out' : 'unreachable' }
}

export function App(): ReactNode {
  const [state, setState] = useState<State>({ kind: 'opening' })
  const open = useCallback(async (isWanted: () => boolean = () => true) => {
    const next = await openSession().then(opened, notOpened)
    if (isWanted()) setState(next)
    else if (next.kind === 'open') next.session.store.sync.close()
  }, [])
  useEffect(() => {
    let isHere = true
    void open(() => isHere)
    return () => {
      isHere = false
    }
  }, [open])

  switch (state.kind) {
    case 'opening':
      return <Splash text="Opening the board…" />
    case 'unreachable':
      return <Splash text="The server cannot be reached." onRetry={() => void open()} />
    case 'signed-out':
      return <SignIn onSignedIn={() => open()} />
    case 'open':
      return <Open session={state.session} onSignedOut={() => setState({ kind: 'signed-out' })} />
  }
}

function Splash({ text, onRetry }: { text: string; onRetry?: () => void }): ReactNode {
  return (
    <main className="splash">
      <Logo />
      <p role="status">{text}</p>
      {onRetry && (
        <button type="button" className="button button-primary" onClick={onRetry}>
          Try again
        </button>
      )}
    </main>
  )
}

function Open({ session, onSignedOut }: { session: Session; onSignedOut: () => void }): ReactNode {
  const { store, position } = session
  return (
    <SessionContext.Provider value={session}>
      <RealtimeProvider sync={store.sync} {...(position !== undefined && { position })}>
        <Workspace onSignedOut={onSignedOut} />
      </RealtimeProvider>
    </SessionContext.Provider>
  )
}
