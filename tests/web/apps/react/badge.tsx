import { useSyncQueue, useSyncStatus } from 'pillar-client/react'
import type { ReactNode } from 'react'

export function Badge(): ReactNode {
  const status = useSyncStatus()
  const { length, failed } = useSyncQueue()
  return <p id="badge">{`${status}, ${length} waiting, ${failed} failed`}</p>
}
