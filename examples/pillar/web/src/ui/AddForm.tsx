// One line to add something by its name.
import { useId, useState, type ReactNode } from 'react'

interface Props {
  label: string
  button: string
  maxLength: number
  onAdd: (text: string) => void
  placeholder?: string
  children?: ReactNode
}

export function AddForm({ label, button, maxLength, onAdd, placeholder = label, children }: Props): ReactNode {
  const [text, setText] = useState('')
  const id = useId()
  return (
    <form
      className="add-form"
      onSubmit={(event) => {
        event.preventDefault()
        const name = text.trim()
        if (!name) return
        onAdd(name)
        setText('')
      }}
    >
      <label htmlFor={id} className="unseen">
        {label}
      </label>
      <input
        id={id}
        className="input"
        value={text}
        onChange={(event) => setText(event.target.value)}
        placeholder={placeholder}
        maxLength={maxLength}
        autoComplete="off"
      />
      {children}
      <button type="submit" className="button" disabled={!text.trim()}>
        {button}
      </button>
    </form>
  )
}
