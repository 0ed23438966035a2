import { useState, type ReactNode } from 'react'
import { post } from '../api.js'
import { Avatar } from './Avatar.js'
import { Logo } from './Logo.js'

const people = [
  { id: 'ada', name: 'Ada', about: 'owns the first project' },
  { id: 'grace', name: 'Grace', about: 'edits it' },
  { id: 'linus', name: 'Linus', about: 'edits it, too' },
]

export function SignIn({ onSignedIn }: { onSignedIn: () => Promise<void> }): ReactNode {
  const [busy, setBusy] = useState<string>()
  const [problem, setProblem] = useState('')
  const signIn = async (user: string): Promise<void> => {
    setBusy(user)
    setProblem('')
    try {
      await post('/api/login', { user, demo: true })
      await onSignedIn()
    } catch (caught) {
      setProblem(caught instanceof Error ? caught.message : String(caught))
    } finally {
      setBusy(undefined)
    }
  }
  return (
    <main className="sign-in">
      <div className="sign-in-card">
        <Logo />
        <h1>A task board, shared live</h1>
        <p className="sign-in-lead">What one of you changes, the others see at once. Who are you?</p>
        <ul className="people">
          {people.map(({ id, name, about }) => (
            <li key={id}>
              <button type="button" className="person" disabled={busy !== undefined} onClick={() => void signIn(id)}>
                <Avatar userId={id} name={name} size="large" />
                <span className="person-text">
                  <strong>{name}</strong>
                  <span>{about}</span>
                </span>
                <span className="person-go" aria-hidden="true">
                  {busy === id ? '…' : '→'}
                </span>
              </button>
            </li>
          ))}
        </ul>
        <p className="problem" role="alert">
          {problem}
        </p>
        <p className="sign-in-hint">
          A demonstration: no password is asked for. Open a private window beside this one, and be somebody else there.
        </p>
      </div>
    </main>
  )
}
