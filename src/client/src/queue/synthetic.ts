// The answer to a change that waits in the queue.
import { fields } from '../json.js'
import type { QueuedKind, QueueEntry } from '../types.js'
import { textOf } from './rewrite.js'

const HEADER = 'X-Pillar-Queued'

/** What a response says of itself if it is synthetic: the change waits in the queue, and no server has answered it yet. */
export function queued({ headers }: Response): QueuedKind | undefined {
  return (headers.get(HEADER) as QueuedKind | null) ?? undefined
}

export function synthetic({ method, url, body, tempId }: QueueEntry, isCreation: boolean): Response {
  const id = decoded(/([^/]*)\/?$/.exec(new URL(url).pathname)?.[1] ?? '')
  const sent = fields(textOf(body))
  const answers: Record<string, [QueuedKind, object?]> = {
    POST: isCreation ? ['create', { ...sent, ...(tempId && { id: tempId }) }] : ['action', {}],
    PUT: ['replace', { id, ...sent }],
    PATCH: ['merge', { id, ...sent }],
  }
  const [kind, row] = answers[method] ?? ['delete']
  const headers = { [HEADER]: kind, 'Content-Type': 'application/json' }
  return toResponse(url, 202, headers, row && JSON.stringify(row))
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

export function toResponse(url: string, status: number, headers: HeadersInit, body?: BodyInit | null): Response {
  // Responses with some statuses must not have a body, not even an empty one (Fetch, section 2.2.3).
  const response = new Response([204, 205, 304].includes(status) ? null : body, { status, headers })
  return Object.defineProperty(response, 'url', { value: url })
}
