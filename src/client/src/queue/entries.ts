// What the queue does with its database.
import { randomId } from '../random.js'
import { backoff } from '../timer.js'
import type { FailureDetail, FailureReason, QueueEntry, StoredResponse } from '../types.js'
import type { Database, Pause } from './database.js'
import { realEntry, temporaryIds, temporaryIdsOf, withRealIds, type Id, type Ids } from './rewrite.js'

/** How urgent an attempt is: there is something new, trying again is worth while, somebody insists. */
export const KICK = 0
export const WAKE = 1
export const FLUSH = 2
/** A pause of this level ends with anything new. */
export const NONE = -1

/** What became of an entry. */
export interface Settlement {
  entry: QueueEntry
  response?: StoredResponse | undefined
  /** Why it was not taken. */
  reason?: FailureReason | undefined
  /** Of a creation: what its temporary id is called from now on. */
  id?: Id | undefined
  /** It was made, and what was answered is not known. */
  isLost?: boolean
  /** Whoever made it waits for the response, and needs nothing else. */
  isWaited?: boolean
}

/** Why, and when, an attempt was called for. */
export interface Call {
  urgency: number
  since: number
}

/** What is to be sent, or has failed before it is sent; or the time before which nothing is. */
export type Next = { entry: QueueEntry; reason?: FailureReason } | { until: number }

/** An entry that has no place in the queue yet. */
export type Draft = Omit<QueueEntry, 'seq'>

/** How long a temporary id may be used after the real one is known. */
const ID_AGE = 7 * 24 * 3_600_000
const PAUSE_MIN = 1000
const PAUSE_MAX = 30_000

async function lookUp(db: Database, temps: string[]): Promise<Ids> {
  const ids: Ids = new Map()
  for (const temp of temps) {
    const known = await db.get('ids', temp)
    if (known) ids.set(temp, known.id)
  }
  return ids
}

/** A text with the real ids in the place of temporary ones. */
export const realText = async (db: Database, text: string): Promise<string> =>
  withRealIds(text, await lookUp(db, temporaryIds(text)))

/** The database gives an entry its `seq`. */
const append = (db: Database, draft: Draft): Promise<number> => db.add('entries', draft as QueueEntry)

/** Gives the entry, or null if there is no room. */
export async function add(db: Database, made: Draft, maxEntries: number): Promise<QueueEntry | null> {
  if ((await db.count('entries')) + (await db.count('failures')) >= maxEntries) return null
  const draft = realEntry(made, await lookUp(db, temporaryIdsOf(made)))
  return { ...draft, seq: await append(db, draft) }
}

/** Writes an entry anew, or deletes it, unless it is gone: a database that was deleted gives its place to another one. */
async function update({ seq, key }: QueueEntry, db: Database, now?: QueueEntry): Promise<boolean> {
  const tx = db.transaction('entries', 'readwrite')
  const isThere = (await tx.store.get(seq))?.key === key
  if (isThere) await (now ? tx.store.put(now) : tx.store.delete(seq))
  await tx.done
  return isThere
}

/** Writes an entry anew, unless it is gone. */
export const replace = (db: Database, entry: QueueEntry): Promise<boolean> => update(entry, db, entry)

/** Makes an entry that is nobody's a user's, while it waits. */
export async function claim(db: Database, { seq, key }: QueueEntry, userId: string): Promise<void> {
  const tx = db.transaction('entries', 'readwrite')
  const entry = await tx.store.get(seq)
  if (entry?.key === key && !entry.userId) await tx.store.put({ ...entry, userId })
  await tx.done
}

/** The first that is not somebody else's. */
async function first(db: Database, user: string): Promise<QueueEntry | undefined> {
  let cursor = await db.transaction('entries').store.openCursor()
  while (cursor && user && !isOf(user, cursor.value)) cursor = await cursor.continue()
  return cursor?.value
}

/** A clock that was set back must not make a pause longer. */
function isOver({ at, until, level }: Pause, { urgency, since }: Call): boolean {
  return at > Date.now() || (since >= at && (urgency > level || Date.now() >= until))
}

/** What is to be done now, and notes that it is sent. While nobody is known to be signed in, nobody's changes are sent. */
export async function next(db: Database, user: string, call: Call, keyAge: number): Promise<Next | undefined> {
  const entry = await first(db, user)
  if (!entry) return undefined
  const pause = await db.get('pause', 0)
  if (pause && !isOver(pause, call)) return pause
  if (entry.userId && !user) return { until: Infinity }
  const { sentAt } = entry
  if (sentAt) return Date.now() - sentAt > keyAge ? { entry, reason: 'uncertain' } : { entry }
  const ids = await lookUp(db, temporaryIdsOf(entry))
  if ([...ids.values()].includes(undefined)) return { entry, reason: 'depends' }
  const sent = { ...realEntry(entry, ids), sentAt: Date.now() }
  return (await replace(db, sent)) ? { entry: sent } : next(db, user, call, keyAge)
}

export async function settle(db: Database, { entry, reason, response, id, isWaited }: Settlement): Promise<void> {
  const { tempId } = entry
  if (!isWaited) {
    if (tempId) await db.put('ids', { temp: tempId, id, at: Date.now() })
    if (reason) await db.put('failures', { entry, reason, ...(response && { response }) })
  }
  await update(entry, db)
  await db.delete('pause', 0)
}

/** Gives the time before which nothing is sent. `level`: see `Pause`. `after`: milliseconds, where the server has said it. */
export async function postpone(db: Database, level: number, after: number | undefined): Promise<number> {
  const attempts = ((await db.get('pause', 0))?.attempts ?? 0) + 1
  const at = Date.now()
  const until = level < KICK ? Infinity : at + (after ?? backoff(attempts - 1, PAUSE_MIN, PAUSE_MAX))
  await db.put('pause', { attempts, at, until, level }, 0)
  return until
}

/** Forgets an entry that waits, unless `mayBeSent` is false and it was sent; or one that has failed. */
export async function forget(db: Database, seq: number, mayBeSent: boolean): Promise<void> {
  const tx = db.transaction('entries', 'readwrite')
  const entry = await tx.store.get(seq)
  if (mayBeSent || !entry?.sentAt) await tx.store.delete(seq)
  await tx.done
  if (entry?.tempId && mayBeSent) await db.put('ids', { temp: entry.tempId, at: Date.now() })
  await db.delete('failures', seq)
}

/** Puts one that has failed back, as a change that was just made. */
export async function retry(db: Database, failed: number, sessionId: string): Promise<void> {
  const failure = await db.get('failures', failed)
  if (!failure) return
  const { seq, sentAt, ...entry } = failure.entry
  if (entry.tempId) await db.delete('ids', entry.tempId)
  await db.delete('failures', failed)
  await append(db, { ...entry, sessionId, key: randomId(), queuedAt: Date.now(), attempts: 0 })
}

/** Counts those of one user, without reading what may be large. */
export const countOf = async (db: Database, table: 'entries' | 'failures', user: string): Promise<number> =>
  (await db.countFromIndex(table, 'user', '')) + (user ? await db.countFromIndex(table, 'user', user) : 0)

const isOf = (user: string, { userId }: QueueEntry): boolean => !userId || userId === user

export const entriesOf = async (db: Database, user: string): Promise<QueueEntry[]> =>
  (await db.getAll('entries')).filter((entry) => isOf(user, entry))

export const failuresOf = async (db: Database, user: string): Promise<FailureDetail[]> =>
  (await db.getAll('failures')).filter(({ entry }) => isOf(user, entry))

/** Forgets temporary ids that nobody uses any more. */
export async function prune(db: Database): Promise<void> {
  for (const { temp, at } of await db.getAll('ids')) if (at < Date.now() - ID_AGE) await db.delete('ids', temp)
}
