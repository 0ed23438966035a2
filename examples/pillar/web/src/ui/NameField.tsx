// A name that is changed in place: stored by Enter or when one goes on, put back by Escape.
import { useState, type ReactNode } from 'react'

interface Props {
  label: string
  name: string
  disabled?: boolean
  onRename: (name: string) => void
}

export function NameField({ label, name, disabled = false, onRename }: Props): ReactNode {
  const [typed, setTyped] = useState<string>()
  const store = (): void => {
    const next = typed?.trim()
    setTyped(undefined)
    if (next && next !== name) onRename(next)
  }
  return (
    <input
      className="input"
      aria-label={label}
      value={typed ?? name}
      disabled={disabled}
      maxLength={100}
      autoComplete="off"
      onChange={(event) => setTyped(event.target.value)}
      onBlur={store}
      onKeyDown={(event) => {
        if (event.key === 'Enter') {
          event.preventDefault()
          store()
        }
        if (event.key === 'Escape' && typed !== undefined) {
          event.preventDefault()
          setTyped(undefined)
        }
      }}
    />
  )
}
