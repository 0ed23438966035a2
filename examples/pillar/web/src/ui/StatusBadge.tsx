import { useSyncStatus } from 'pillar-client/react'
import type { ReactNode } from 'react'

const texts = {
  connecting: 'Connecting',
  live: 'Live',
  offline: 'Offline',
  expired: 'Signed out',
}

export function StatusBadge(): ReactNode {
  const status = useSyncStatus()
  return (
    <span className="status" data-status={status} role="status">
      <span className="status-dot" aria-hidden="true" />
      {texts[status]}
    </span>
  )
}
