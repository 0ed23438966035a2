// What a tab has heard lately, for tabs that come later or have missed something.
import { compare } from './position.js'
import type { Message } from './stream.js'

const MAX_MESSAGES = 1000
const MAX_CHARS = 1_000_000

export interface Recent {
  /** The place of the last message, or where the stream began. */
  head(): string | undefined
  /** Begins anew: nothing is known of what was before `position`. */
  begin(position: string | undefined): void
  add(message: Message): void
  /** All messages behind `position`; undefined if some of them are not known any more. */
  since(position: string): Message[] | undefined
}

export function createRecent(start: string | undefined): Recent {
  let head = start
  /** All messages behind this place are kept. */
  let floor = start
  let messages: Message[] = []
  let chars = 0

  function begin(position: string | undefined): void {
    head = floor = position
    messages = []
    chars = 0
  }

  function add(message: Message): void {
    const { name, id, data } = message
    if (id === undefined) return
    if (name === 'resync') return begin(id)
    head = id
    chars += data.length
    messages.push(message)
    while (messages.length > MAX_MESSAGES || chars > MAX_CHARS) {
      const oldest = messages.shift()
      floor = oldest?.id
      chars -= oldest?.data.length ?? 0
    }
  }

  function since(position: string): Message[] | undefined {
    if (floor === undefined || !(compare(position, floor) >= 0)) return undefined
    return messages.filter(({ id = '' }) => compare(id, position) > 0)
  }

  return { head: () => head, begin, add, since }
}
