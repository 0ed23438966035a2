// A project's name, and who may see it.
import { useState, type ReactNode } from 'react'
import { useSession, useView } from '../hooks/board.js'
import { memberKey, membersOf, type Member, type Project, type Role } from '../model.js'
import { Avatar } from './Avatar.js'
import { Dialog } from './Dialog.js'
import { Icon } from './Icon.js'
import { DeleteProject, LeaveProject } from './ProjectEnd.js'
import { NameField } from './NameField.js'

const ROLES: Role[] = ['owner', 'editor', 'viewer']

export function ProjectDialog({ project, onClose }: { project: Project; onClose: () => void }): ReactNode {
  const { store, user } = useSession()
  const { data } = useView()
  const isOwner = data.members.get(memberKey(project.id, user.id))?.role === 'owner'
  const path = `/api/projects/${encodeURIComponent(project.id)}`
  return (
    <Dialog title="Project" onClose={onClose}>
      <div className="dialog-scroll">
        <div className="field">
          <span className="field-name">Name</span>
          <NameField
            label="Name of the project"
            name={project.name}
            disabled={!isOwner}
            onRename={(name) => void store.change('PATCH', path, { name })}
          />
        </div>
        <section aria-labelledby="members-heading">
          <h3 id="members-heading">Members</h3>
          <ul className="rows">
            {membersOf(data, project.id).map((member) => (
              <MemberRow key={member.userId} member={member} isOwner={isOwner} path={`${path}/members`} />
            ))}
          </ul>
          {isOwner ? (
            <AddMember project={project} path={`${path}/members`} />
          ) : (
            <p className="hint">Only an owner can let somebody in, or change what they may do.</p>
          )}
        </section>
        <LeaveProject project={project} onLeft={onClose} />
        {isOwner && <DeleteProject project={project} onDeleted={onClose} />}
      </div>
    </Dialog>
  )
}

interface MemberRowProps {
  member: Member
  isOwner: boolean
  path: string
}

function MemberRow({ member: { userId, role }, isOwner, path }: MemberRowProps): ReactNode {
  const { store, user } = useSession()
  const name = store.nameOf(userId)
  const own = `${path}/${encodeURIComponent(userId)}`
  const isMe = userId === user.id
  return (
    <li className="row">
      <Avatar userId={userId} name={name} />
      <span className="row-text">
        {name}
        {isMe && <span className="hint"> you</span>}
      </span>
      <select
        className="input"
        aria-label={`Role of ${name}`}
        value={role}
        disabled={!isOwner}
        onChange={(event) => void store.change('PATCH', own, { role: event.target.value })}
      >
        {ROLES.map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </select>
      {isOwner && !isMe && (
        <button
          type="button"
          className="icon-button"
          aria-label={`Take ${name} out`}
          title={`Take ${name} out`}
          onClick={() => void store.change('DELETE', own)}
        >
          <Icon name="close" />
        </button>
      )}
    </li>
  )
}

function AddMember({ project, path }: { project: Project; path: string }): ReactNode {
  const { store, users } = useSession()
  const { data } = useView()
  const others = [...users.values()].filter(({ id }) => !data.members.has(memberKey(project.id, id)))
  const [chosen, choose] = useState('')
  const [role, setRole] = useState<string>('editor')
  const userId = others.some(({ id }) => id === chosen) ? chosen : others[0]?.id
  if (userId === undefined) return <p className="hint">Everybody is in it.</p>
  return (
    <form
      className="add-form"
      onSubmit={(event) => {
        event.preventDefault()
        void store.change('POST', path, { userId, role })
      }}
    >
      <select
        className="input"
        aria-label="Who is to come in"
        value={userId}
        onChange={(event) => choose(event.target.value)}
      >
        {others.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
      <select className="input" aria-label="As what" value={role} onChange={(event) => setRole(event.target.value)}>
        {ROLES.map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </select>
      <button type="submit" className="button button-primary">
        Share
      </button>
    </form>
  )
}
