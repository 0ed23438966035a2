// What stands above the board while something is not as it should be.
import { useSyncQueue, useSyncStatus } from 'pillar-client/react'
import { useEffect, useState, type ReactNode } from 'react'
import { post } from '../api.js'
import { useSession } from '../hooks/board.js'
import { Icon } from './Icon.js'

function changes(count: number): string {
  return count === 1 ? '1 change' : `${count} changes`
}

/** Each change is in the queue for a moment: that is not worth a word. */
const MOMENT_MS = 800

function useLasting(now: boolean): boolean {
  const [lasts, setLasts] = useState(false)
  useEffect(() => {
    if (!now) return setLasts(false)
    const timer = setTimeout(() => setLasts(true), MOMENT_MS)
    return () => clearTimeout(timer)
  }, [now])
  return now && lasts
}

export function Banner(): ReactNode {
  const status = useSyncStatus()
  const { length } = useSyncQueue()
  const isSending = useLasting(status === 'live' && length > 0)
  if (status === 'expired') return <ExpiredBanner waiting={length} />
  if (status === 'live' ? !isSending : status === 'connecting' && length === 0) return null
  return (
    <div className="banner" data-kind={isSending ? 'sending' : 'offline'} role="status">
      <Icon name={isSending ? 'clock' : 'cloud'} />
      <p>
        {!isSending && <strong>{status === 'offline' ? 'You are offline. ' : 'There is no connection. '}</strong>}
        {isSending ? `Sending ${changes(length)}…` : waitingText(length)}
      </p>
    </div>
  )
}

function waitingText(length: number): string {
  if (length === 0) return 'You can go on working: what you change is sent when you are back.'
  return `${changes(length)} ${length === 1 ? 'waits' : 'wait'}, and will be sent when you are back.`
}

function ExpiredBanner({ waiting }: { waiting: number }): ReactNode {
  const { user, store } = useSession()
  const [problem, setProblem] = useState('')
  const signIn = async (): Promise<void> => {
    try {
      await post('/api/login', { user: user.id })
      // As when somebody comes back to the page: the stream tries again at once.
      window.dispatchEvent(new Event('focus'))
      await store.sync.queue.flush()
    } catch {
      setProblem('That did not work. Try again.')
    }
  }
  return (
    <div className="banner" data-kind="expired" role="alert">
      <Icon name="warning" />
      <p>
        <strong>You have been signed out. </strong>
        {waiting > 0 ? `${changes(waiting)} will be sent when you are back.` : 'What you see may be out of date.'}{' '}
        {problem}
      </p>
      <button type="button" className="button button-small" onClick={() => void signIn()}>
        Sign in as {user.name}
      </button>
    </div>
  )
}
