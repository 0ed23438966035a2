// Somebody's initial, in the colour that is theirs everywhere on the page.
import type { ReactNode } from 'react'

const HUES = ['violet', 'teal', 'orange', 'pink', 'blue', 'green'] as const
const KNOWN: Record<string, string> = { ada: 'violet', grace: 'teal', linus: 'orange' }

export function hueOf(userId: string | undefined): string {
  if (userId === undefined) return 'gray'
  const sum = [...userId].reduce((total, letter) => total + letter.charCodeAt(0), 0)
  return KNOWN[userId] ?? HUES[sum % HUES.length] ?? 'gray'
}

interface Props {
  userId: string | undefined
  name: string
  size?: 'small' | 'medium' | 'large'
  /** False where the name stands beside it. */
  labelled?: boolean
}

export function Avatar({ userId, name, size = 'medium', labelled = false }: Props): ReactNode {
  const label = labelled ? { role: 'img', 'aria-label': name, title: name } : { 'aria-hidden': true }
  return (
    <span
      className={`avatar avatar-${size}`}
      data-hue={hueOf(userId)}
      data-initial={name.slice(0, 1).toUpperCase()}
      {...label}
    />
  )
}
