// The two ways out of a project. Both are asked about, since neither can be undone by whoever takes it.
import { useState, type ReactNode } from 'react'
import { useSession, useView } from '../hooks/board.js'
import { membersOf, type Data, type Project } from '../model.js'

const pathOf = ({ id }: Project): string => `/api/projects/${encodeURIComponent(id)}`

/** A project needs an owner. */
function isSoleOwner(data: Data, projectId: string, userId: string): boolean {
  const owners = membersOf(data, projectId).filter(({ role }) => role === 'owner')
  return owners.length === 1 && owners[0]?.userId === userId
}

export function LeaveProject({ project, onLeft }: { project: Project; onLeft: () => void }): ReactNode {
  const { store, user } = useSession()
  const { data } = useView()
  const leave = (): void => {
    void store.change('DELETE', `${pathOf(project)}/members/${encodeURIComponent(user.id)}`)
    onLeft()
  }
  if (isSoleOwner(data, project.id, user.id)) {
    return (
      <p className="hint danger">
        You are the only owner, so you cannot leave: make somebody else an owner first, or delete the project.
      </p>
    )
  }
  return (
    <End
      hint="Once you have left, only an owner can let you in again."
      button="Leave the project"
      really={`Really leave “${project.name}”`}
      onEnd={leave}
    />
  )
}

export function DeleteProject({ project, onDeleted }: { project: Project; onDeleted: () => void }): ReactNode {
  const { store } = useSession()
  const remove = (): void => {
    void store.change('DELETE', pathOf(project))
    onDeleted()
  }
  return (
    <End
      hint="The project and all its tasks will be deleted for everybody."
      button="Delete the project"
      really={`Really delete “${project.name}”`}
      onEnd={remove}
    />
  )
}

interface EndProps {
  hint: string
  button: string
  /** What it says when it was pressed once. */
  really: string
  onEnd: () => void
}

function End({ hint, button, really, onEnd }: EndProps): ReactNode {
  const [isAsked, ask] = useState(false)
  return (
    <div className="danger">
      <p className="hint">{hint}</p>
      <button
        type="button"
        className="button button-danger"
        onClick={isAsked ? onEnd : () => ask(true)}
        onBlur={() => ask(false)}
      >
        {isAsked ? really : button}
      </button>
    </div>
  )
}
