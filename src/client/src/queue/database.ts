// The database behind the queue: one for all tabs.
import { openDB, type DBSchema, type IDBPDatabase } from 'idb'
import type { FailureDetail, QueueEntry } from '../types.js'
import type { Id } from './rewrite.js'

/** After an attempt that failed; for all tabs together, so that they do not try more often than one would. */
export interface Pause {
  /** Failed attempts in a row. */
  attempts: number
  /** When it began, and when it ends; infinite: when somebody does something. Milliseconds since 1970. */
  at: number
  until: number
  /** What is more urgent than this ends it early. */
  level: number
}

interface Schema extends DBSchema {
  entries: { key: number; value: QueueEntry; indexes: { user: string } }
  failures: { key: number; value: FailureDetail; indexes: { user: string } }
  /** Temporary ids. Without an id: the row was not made, or what it is called is not known. */
  ids: { key: string; value: { temp: string; id?: Id | undefined; at: number } }
  pause: { key: number; value: Pause }
  /** Who was signed in last, in whatever tab. */
  user: { key: number; value: string }
}

export type Database = IDBPDatabase<Schema>

export interface Store {
  use<T>(act: (db: Database) => Promise<T>): Promise<T>
  close(): void
}

export function openStore(name: string): Store {
  let opened: Promise<Database> | undefined

  function close(): void {
    opened?.then((db) => db.close()).catch(() => {})
    opened = undefined
  }

  function open(): Promise<Database> {
    return (opened ??= openDB<Schema>(name, 1, {
      upgrade(db) {
        db.createObjectStore('entries', { keyPath: 'seq', autoIncrement: true }).createIndex('user', 'userId')
        db.createObjectStore('failures', { keyPath: 'entry.seq' }).createIndex('user', 'entry.userId')
        db.createObjectStore('ids', { keyPath: 'temp' })
        db.createObjectStore('pause')
        db.createObjectStore('user')
      },
      // Another tab wants to upgrade or delete the database, and has to wait for us.
      blocking: close,
      terminated: close,
    }))
  }

  return {
    close,
    /** A connection may have ended without a word, so what fails is tried once more, with a new one. */
    async use(act) {
      try {
        return await act(await open())
      } catch {
        close()
        return act(await open())
      }
    },
  }
}
