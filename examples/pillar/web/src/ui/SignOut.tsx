// Signing out. It needs the network: as long as the server has not heard of it, the browser is signed in.
import { useState, type ReactNode } from 'react'
import { Refusal, post } from '../api.js'
import { useSession } from '../hooks/board.js'
import { changesText } from '../words.js'
import { Dialog } from './Dialog.js'

/** How long what was just changed has to get away before it counts as waiting. */
const SEND_MS = 2000

function problemText(problem: unknown): string {
  if (problem instanceof Refusal) return `You are still signed in: ${problem.message}.`
  return 'You are still signed in: signing out needs the network. Try again when you are back.'
}

function offlineText(waiting: number): string {
  const rest = waiting === 0 ? '' : ` ${changesText(waiting)} not been sent yet, and will be when you are back.`
  return `You are still signed in: signing out needs the network.${rest}`
}

export interface SignOut {
  begin: () => void
  /** The question, when there is one. */
  question: ReactNode
}

export function useSignOut(onSignedOut: () => void): SignOut {
  const { store } = useSession()
  const { sync } = store
  const [waiting, setWaiting] = useState(0)

  const leave = async (): Promise<void> => {
    setWaiting(0)
    try {
      await post('/api/logout')
    } catch (problem) {
      const isOut = problem instanceof Refusal && problem.status === 401
      if (!isOut) return store.notice(problemText(problem))
    }
    sync.close()
    onSignedOut()
  }
  const begin = async (): Promise<void> => {
    if (sync.status === 'live') {
      await Promise.race([sync.queue.flush(), new Promise((resolve) => setTimeout(resolve, SEND_MS))])
    }
    const { length } = await sync.queue.entries()
    if (sync.status === 'offline') store.notice(offlineText(length))
    else if (length > 0) setWaiting(length)
    else await leave()
  }
  const question = waiting > 0 && (
    <Question waiting={waiting} onStay={() => setWaiting(0)} onLeave={() => void leave()} />
  )
  return { begin: () => void begin(), question }
}

interface QuestionProps {
  waiting: number
  onStay: () => void
  onLeave: () => void
}

function Question({ waiting, onStay, onLeave }: QuestionProps): ReactNode {
  const { user } = useSession()
  return (
    <Dialog title="Sign out?" onClose={onStay}>
      <div className="dialog-scroll">
        <p>
          {changesText(waiting)} not been sent yet. This browser keeps {waiting === 1 ? 'it' : 'them'}, and sends{' '}
          {waiting === 1 ? 'it' : 'them'} when {user.name} signs in here again.
        </p>
      </div>
      <footer className="dialog-foot">
        <span className="spacer" />
        <button type="button" className="button" onClick={onLeave}>
          Sign out
        </button>
        <button type="button" className="button button-primary" autoFocus onClick={onStay}>
          Stay
        </button>
      </footer>
    </Dialog>
  )
}
