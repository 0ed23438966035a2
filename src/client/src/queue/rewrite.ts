// Temporary ids: what rows are called that were made without a network, until the server has said what they are called.
import { randomId } from '../random.js'
import type { Draft } from './entries.js'

export type Id = string | number
/** What temporary ids are called from now on; undefined: never anything else. */
export type Ids = Map<string, Id | undefined>

/** As long as `randomId` makes them: none is the beginning of another one. The first way: as a whole value of JSON. */
const TEMPORARY = /"(temp-[0-9a-f]{32})"(?!\s*:)|temp-[0-9a-f]{32}(?!\w)/g

export const temporaryId = (): string => 'temp-' + randomId()

/** What is UTF-8 as text; anything else as no text. */
export function textOf(body: BufferSource | undefined): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    return ''
  }
}

export const temporaryIds = (text: string): string[] =>
  (text.match(TEMPORARY) ?? []).map((found) => found.replaceAll('"', ''))

/** Those that an entry names, in whatever place. */
export const temporaryIdsOf = ({ url, headers, body }: Draft): string[] =>
  temporaryIds([url, headers, textOf(body)].join())

/** The text with the real ids that are known, each as a JSON value where it is one, and as a part of a URL elsewhere. */
export function withRealIds(text: string, ids: Ids): string {
  return text.replace(TEMPORARY, (found, value?: string) => {
    const id = ids.get(value ?? found)
    return id === undefined ? found : value ? JSON.stringify(id) : encodeURIComponent(id)
  })
}

export function realEntry<Entry extends Draft>(entry: Entry, ids: Ids): Entry {
  if (ids.size === 0) return entry
  const { url, headers, body } = entry
  const text = textOf(body)
  return {
    ...entry,
    url: withRealIds(url, ids),
    headers: headers.map(([name, value]) => [name, withRealIds(value, ids)]),
    ...(text && { body: new TextEncoder().encode(withRealIds(text, ids)).buffer }),
  }
}
