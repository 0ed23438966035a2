// The session for the components in it.
import { createContext, useContext, useSyncExternalStore } from 'react'
import type { Session } from '../session.js'
import type { View } from '../store.js'

export const SessionContext = createContext<Session | undefined>(undefined)

export function useSession(): Session {
  const session = useContext(SessionContext)
  if (!session) throw new Error('nobody is signed in here')
  return session
}

export function useView(): View {
  const { store } = useSession()
  return useSyncExternalStore(store.subscribe, store.snapshot)
}
