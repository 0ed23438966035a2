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
  return new Response(row && JSON.stringify(row), { status: 202, headers })
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
