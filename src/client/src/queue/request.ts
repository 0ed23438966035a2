// The request that makes a change.
import type { Host } from '../host.js'
import { randomId } from '../random.js'
import type { QueueEntry } from '../types.js'

/** What is sent, but for the page's own headers. */
export type Change = Pick<QueueEntry, 'method' | 'url' | 'headers' | 'body' | 'key' | 'sessionId' | 'userId'>

export const isChange = ({ method }: Request): boolean => /^(POST|PUT|PATCH|DELETE)$/i.test(method)

/** A change of this tab, with a key of its own unless the page has given it one. */
export async function changeOf(made: Request, { sessionId, owner }: Host): Promise<Change> {
  const body = await made.arrayBuffer()
  made.signal.throwIfAborted()
  return {
    method: made.method.toUpperCase(),
    url: made.url,
    headers: [...made.headers],
    key: made.headers.get('Idempotency-Key') ?? randomId(),
    sessionId,
    userId: owner() ?? '',
    ...(body.byteLength > 0 && { body }),
  }
}

export async function send(host: Host, change: Change, init: RequestInit): Promise<Response> {
  const { method, url, body = null, key, sessionId, userId } = change
  const headers = new Headers(change.headers)
  // A token may be a newer one.
  for (const [name, value] of await host.headers()) headers.set(name, value)
  headers.set('Idempotency-Key', key)
  headers.set('X-Session-Id', sessionId)
  // Who is signed in may have changed since anybody has looked. The server refuses what somebody else has made.
  if (userId) headers.set('X-User-Id', encodeURIComponent(userId))
  return host.fetch(url, { ...init, method, headers, body, credentials: host.credentials })
}
