// A visit of somebody who is signed in: who it is, the Sync and the store, from sign-in to sign-out.
import { createSync, offlineQueue } from 'pillar-client'
import { announcer, type Announcer } from './announcer.js'
import { creates } from './changes.js'
import { loadUsers, loadVisit, type Visit } from './load.js'
import type { User } from './model.js'
import { sessionsOfTab } from './sessions.js'
import { Store } from './store.js'

export interface Session {
  user: User
  users: ReadonlyMap<string, User>
  store: Store
  announcer: Announcer
  /** Where the stream is to begin. */
  position: string | undefined
}

/** Rejects with a `Refusal` of status 401 when nobody is signed in. */
export async function openSession(): Promise<Session> {
  const visit = await loadVisit()
  const users = new Map((await loadUsers()).map((user) => [user.id, user]))
  return begin(visit, users)
}

function begin({ user, position }: Visit, users: ReadonlyMap<string, User>): Session {
  const sync = createSync({
    // Tabs of different people share nothing, though it be one browser.
    scope: user.id,
    queue: offlineQueue({ creates: ({ url }) => creates(url.pathname) }),
  })
  const announce = announcer()
  const store = new Store(sync, user, users, announce.say, sessionsOfTab(sync.sessionId))
  void store.load()
  void store.readQueue()
  return { user, users, store, announcer: announce, position }
}
