// A modal dialog: the browser keeps the focus in it. What is outside of it cannot be used, so problems are shown inside.
import { createContext, useContext, useEffect, useId, useRef, type ReactNode } from 'react'
import { Icon } from './Icon.js'

/** Where what belongs above everything goes: told by a dialog when it opens, and untold when it closes. */
export const TopLayer = createContext<(element: HTMLElement | null) => void>(() => {})

interface Props {
  title: string
  children: ReactNode
  /** Asked to close, by Escape, the button or a click beside it. */
  onClose: () => void
  className?: string
}

export function Dialog({ title, children, onClose, className = '' }: Props): ReactNode {
  const dialog = useRef<HTMLDialogElement>(null)
  const heading = useId()
  const setTop = useContext(TopLayer)
  useEffect(() => {
    const before = document.activeElement
    const element = dialog.current
    element?.showModal()
    setTop(element)
    return () => {
      setTop(null)
      element?.close()
      if (before instanceof HTMLElement) before.focus()
    }
  }, [setTop])
  return (
    <dialog
      ref={dialog}
      className={`dialog ${className}`}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
      onMouseDown={(event) => event.target === dialog.current && onClose()}
    >
      <div className="dialog-body">
        <header className="dialog-head">
          <h2 id={heading}>{title}</h2>
          <button type="button" className="icon-button" aria-label="Close" onClick={onClose}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  )
}
