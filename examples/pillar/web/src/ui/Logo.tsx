import type { ReactNode } from 'react'

export function Logo(): ReactNode {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" />
      <rect className="logo-bar" x="7" y="8" width="5" height="16" rx="2.5" />
      <rect className="logo-bar" x="13.5" y="8" width="5" height="11" rx="2.5" opacity=".85" />
      <rect className="logo-bar" x="20" y="8" width="5" height="6" rx="2.5" opacity=".7" />
    </svg>
  )
}
