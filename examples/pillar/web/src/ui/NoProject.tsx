import type { ReactNode } from 'react'
import { useSession } from '../hooks/board.js'
import { AddForm } from './AddForm.js'
import { Logo } from './Logo.js'

export function NoProject({ loaded, onMade }: { loaded: boolean; onMade: (id: string) => void }): ReactNode {
  const { store } = useSession()
  if (!loaded) return <p className="empty-stage">Loading…</p>
  const make = async (name: string): Promise<void> => {
    const id = await store.change('POST', '/api/projects', { name })
    if (id !== undefined) onMade(id)
  }
  return (
    <div className="empty-stage">
      <Logo />
      <h2>No projects yet</h2>
      <p>Make the first one, and share it with others.</p>
      <AddForm label="Name of the project" button="Make project" maxLength={100} onAdd={(name) => void make(name)} />
    </div>
  )
}
