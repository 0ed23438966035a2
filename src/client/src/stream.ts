// One stream of text/event-stream (WHATWG HTML, section 9.2), from its request to its end, by fetch: so that there are
// headers, statuses and time limits. Coming back is for connection.ts.
import { createParser } from 'eventsource-parser'

/** An event of the stream; passed between tabs as it is. */
export interface Message {
  name: string
  id: string | undefined
  data: string
}

export interface StreamRequest {
  url: URL
  lastId: string | undefined
  headers: Headers
  credentials: RequestCredentials
  fetch: typeof fetch
}

export interface StreamSink {
  /** Some bytes have come. */
  alive(): void
  message(message: Message): void
  /** How long to wait before coming back. Milliseconds. */
  retry(ms: number): void
}

/** The end of a stream, or why there is none. */
export interface StreamEnd {
  /** Nobody is signed in. */
  unauthorized?: boolean
  /** What `Retry-After` said. Milliseconds. */
  retryAfter?: number | undefined
}

/**
 * An event of Pillar's has 64 MiB of data at most (`--max-event-bytes`). One that is larger can never be passed: the stream
 * would break at it, again and again.
 */
const MAX_EVENT_CHARS = 70_000_000

/** Never rejects but when `signal` is aborted, or the network fails. */
export async function openStream(request: StreamRequest, sink: StreamSink, signal: AbortSignal): Promise<StreamEnd> {
  const { url, lastId, headers, credentials } = request
  headers.set('Accept', 'text/event-stream')
  if (lastId !== undefined) headers.set('Last-Event-ID', lastId)
  const response = await request.fetch(url, { headers, credentials, cache: 'no-store', signal })
  const isStream = /^text\/event-stream\b/i.test(response.headers.get('Content-Type') ?? '')
  if (response.status === 200 && isStream && response.body) {
    await read(response.body, sink)
    return {}
  }
  void response.body?.cancel().catch(() => {})
  // A page to sign in at comes with 401, with 403, or with 200 behind a redirection.
  const unauthorized = response.status === 401 || response.status === 403 || response.redirected
  return { unauthorized, retryAfter: retryAfter(response.headers) }
}

/** A server may have said to come back tomorrow, and be well again in a minute. */
const RETRY_AFTER_MAX = 300_000

/** RFC 9110, section 10.2.3: seconds, or a date. At most five minutes. Milliseconds. */
export function retryAfter(headers: Headers): number | undefined {
  const text = headers.get('Retry-After')
  if (!text) return undefined
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), RETRY_AFTER_MAX)
}

async function read(body: ReadableStream<Uint8Array>, sink: StreamSink): Promise<void> {
  const parser = createParser({
    maxBufferSize: MAX_EVENT_CHARS,
    onEvent: ({ event = 'message', id, data }) => sink.message({ name: event, id, data }),
    onRetry: (ms) => sink.retry(ms),
  })
  const decoder = new TextDecoder()
  const reader = body.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    sink.alive()
    parser.feed(decoder.decode(value, { stream: true }))
  }
}
