// What a tab has heard lately, for tabs that come later or have missed something.
import { compare } from './position.js'
import type { Message } from './stream.js'

const MAX_MESSAGES = 1000
const MAX_CHARS = 1_000_000

export class Recent {
  /** The place of the last message, or where the stream began. */
  head: string | undefined
  /** All messages behind this place are kept. */
  private floor: string | undefined
  private messages: Message[] = []
  private chars = 0

  /** Begins anew: nothing is known of what was before `position`. */
  begin(position: string | undefined): void {
    this.head = this.floor = position
    this.messages = []
    this.chars = 0
  }

  add(message: Message): void {
    if (message.id === undefined) return
    if (message.name === 'resync') return this.begin(message.id)
    this.head = message.id
    this.messages.push(message)
    this.chars += message.data.length
    while (this.messages.length > MAX_MESSAGES || this.chars > MAX_CHARS) {
      const oldest = this.messages.shift()
      this.floor = oldest?.id
      this.chars -= oldest?.data.length ?? 0
    }
  }

  /** All messages behind `position`; undefined if some of them are not known any more. */
  since(position: string): Message[] | undefined {
    if (this.floor === undefined || !((compare(position, this.floor) ?? -1) >= 0)) return undefined
    return this.messages.filter(({ id }) => id !== undefined && (compare(id, position) ?? 0) > 0)
  }
}
