// The same by the browser's own EventSource, where fetch gives no streams. It tells neither statuses nor comments, and sends
// no headers. It would come back by itself, and give up at times; so it is closed at its first error.
import type { StreamEnd, StreamRequest, StreamSink } from './stream.js'

const NAMES = ['ready', 'sync', 'resync', 'expiring']

export async function openNativeStream(
  { url, lastId, credentials }: StreamRequest,
  sink: StreamSink,
  signal: AbortSignal,
): Promise<StreamEnd> {
  if (lastId !== undefined) url.searchParams.set('lastEventId', lastId)
  const source = new EventSource(url, { withCredentials: credentials === 'include' })
  try {
    return await new Promise<StreamEnd>((resolve) => {
      let last = ''
      const end = (): void => resolve({})
      signal.addEventListener('abort', end)
      source.onerror = end
      for (const name of NAMES) {
        source.addEventListener(name, (event) => {
          // An event that has no id of its own carries that of the one before.
          const id = event.lastEventId === last ? undefined : (last = event.lastEventId)
          sink.message({ name, id, data: event.data as string })
        })
      }
    })
  } finally {
    source.close()
  }
}
