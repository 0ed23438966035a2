// Changes without an answer: on their way, or in the queue. What the page shows is the data with all of them applied.
import type { QueueEntry } from 'pillar-client'
import { apply } from './apply.js'
import { told, type Change } from './changes.js'
import type { Data } from './model.js'
import { isFields, type Fields } from './rows.js'

export function withPending(data: Data, pending: readonly Change[], userId: string): Data {
  return pending.reduce((soFar, change) => told({ data: soFar, userId }, change).reduce(apply, soFar), data)
}

function fieldsOf(body: ArrayBuffer | undefined): Fields {
  if (!body || body.byteLength === 0) return {}
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body))
    return isFields(value) ? value : {}
  } catch {
    return {}
  }
}

/** A change of the queue's: of this tab, of another one, or of before the page was loaded anew. */
export function fromEntry(entry: QueueEntry): Change {
  const { pathname, hash } = new URL(entry.url, location.href)
  const change: Change = {
    key: entry.key,
    method: entry.method,
    path: pathname,
    body: fieldsOf(entry.body),
    what: decodeURIComponent(hash.slice(1)),
    sessionId: entry.sessionId,
    queued: true,
  }
  return entry.tempId === undefined ? change : { ...change, tempId: entry.tempId }
}

/** `pending` when the queue holds `entries`; `known` were in it before that was asked. */
export function reconciled(pending: readonly Change[], known: readonly string[], entries: QueueEntry[]): Change[] {
  const inQueue = new Set(entries.map(({ key }) => key))
  const kept = pending.filter(({ key }) => inQueue.has(key) || !known.includes(key))
  const keys = new Set(kept.map(({ key }) => key))
  return [...kept, ...entries.filter(({ key }) => !keys.has(key)).map(fromEntry)]
}
