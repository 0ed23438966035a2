// One stream for all tabs of a browser: the leader has it, and passes on what it hears. Each tab knows how far it has heard
// itself, and asks for what it has missed, so nothing is lost however leaders come and go.
import type { Connection, ConnectionSink, Phase } from './connection.js'
import { lead, type Leader } from './leader.js'
import { compare } from './position.js'
import { Recent } from './recent.js'
import type { Message } from './stream.js'
import { Watchdog } from './timer.js'

export interface State {
  phase: Phase
  userId: string | undefined
  /** Its present stream, or the last one, went on where another one had ended. */
  resumed: boolean
}

type Note =
  /** From a tab that comes, or has missed something. */
  | { kind: 'hello'; tab: string; seen: string | undefined; wake: boolean }
  /** The answer to it. No messages: they are not known any more. */
  | { kind: 'welcome'; tab: string; state: State; head: string | undefined; messages: Message[] | undefined }
  | { kind: 'state'; state: State }
  /** `before` is the place of the last one before it. */
  | { kind: 'message'; message: Message; before: string | undefined }

export interface TabsOptions {
  name: string
  tab: string
  /** False: each tab has a stream of its own. */
  share: boolean
  connect(lastId: string | undefined, sink: ConnectionSink): Connection
}

/** What a tab makes of it. */
export interface Audience {
  state(state: State): void
  /** Each message once, in order. */
  message(message: Message): void
  /** Some of what was missed is not known any more. */
  gap(): void
}

/** How long a leader may take to answer, before a tab that is seen takes the lead. */
const PATIENCE_MS = 3000
/** How long it may be silent, before it is asked whether it is there. */
const SILENCE_MS = 30_000

export class Tabs {
  private readonly recent = new Recent()
  private readonly channel: BroadcastChannel | undefined
  private connection: Connection | undefined
  private present: State = { phase: 'connecting', userId: undefined, resumed: false }
  private readonly answer = new Watchdog(() => this.unanswered())
  private readonly silence = new Watchdog(() => this.hello())
  private readonly leader: Leader | undefined

  constructor(
    private readonly options: TabsOptions,
    /** How far this tab has heard. */
    public seen: string | undefined,
    private readonly audience: Audience,
    signal: AbortSignal,
  ) {
    this.recent.begin(seen)
    if (!options.share) {
      void this.term(signal)
      return
    }
    this.channel = new BroadcastChannel(options.name)
    this.channel.onmessage = ({ data }: MessageEvent<Note>) => this.hear(data)
    this.leader = lead(options.name, signal, (over) => this.term(over))
    signal.addEventListener('abort', () => {
      this.answer.stop()
      this.silence.stop()
      this.channel?.close()
    })
    this.hello()
  }

  wake(): void {
    if (this.connection) this.connection.wake()
    else this.hello(true)
  }

  cut(): void {
    this.connection?.cut()
  }

  // --- as the leader ---

  private async term(over: AbortSignal): Promise<void> {
    this.answer.stop()
    this.silence.stop()
    this.connection = this.options.connect(this.seen, {
      phase: (phase) => this.lead({ ...this.present, phase }),
      ready: ({ position, userId, resumed }) => {
        this.begin(position)
        this.present = { ...this.present, userId, resumed }
      },
      message: (message) => {
        this.post({ kind: 'message', message, before: this.recent.head })
        this.receive(message)
      },
    })
    try {
      await this.connection.run(over)
    } finally {
      this.connection = undefined
    }
  }

  private lead(state: State): void {
    this.present = state
    this.post({ kind: 'state', state })
    this.audience.state(state)
  }

  private welcome(tab: string, seen: string | undefined): void {
    const { present: state, recent } = this
    // Before a stream is open nobody knows what it missed; it asks again then.
    const messages = seen === undefined || recent.head === undefined ? [] : recent.since(seen)
    this.post({ kind: 'welcome', tab, state, head: recent.head, messages })
  }

  // --- as one of the others ---

  private hello(wake = false): void {
    if (this.connection) return
    this.post({ kind: 'hello', tab: this.options.tab, seen: this.seen, wake })
    this.answer.start(PATIENCE_MS)
    this.silence.start(SILENCE_MS)
  }

  /** A tab that nobody sees may wait: it is asked again when somebody does. */
  private unanswered(): void {
    if (document.visibilityState === 'visible') this.leader?.seize()
  }

  private hear(note: Note): void {
    if (note.kind === 'hello') {
      if (!this.connection) return
      if (note.wake) this.connection.wake()
      else this.connection.check()
      return this.welcome(note.tab, note.seen)
    }
    if (this.connection) return // a leader that has yet to notice that it is none any more
    this.silence.extend()
    if (note.kind === 'message') this.overhear(note.message, note.before)
    else if (note.kind === 'state') this.follow(note.state)
    else if (note.tab === this.options.tab) this.join(note)
  }

  private follow(state: State): void {
    const isNews = state.phase === 'live' && this.present.phase !== 'live'
    this.present = state
    this.audience.state(state)
    if (isNews) this.hello()
  }

  private join({ state, head, messages }: Note & { kind: 'welcome' }): void {
    this.answer.stop()
    this.present = state
    if (messages === undefined) {
      this.seen = head
      this.recent.begin(head)
      this.audience.gap()
    } else {
      this.begin(head)
      messages.forEach((message) => this.receive(message))
    }
    this.audience.state(state)
  }

  private overhear(message: Message, before: string | undefined): void {
    const { seen } = this
    const isNext = seen === undefined || before === undefined || (compare(before, seen) ?? 1) <= 0
    if (isNext || message.name === 'resync') this.receive(message)
    else this.hello()
  }

  // --- as each ---

  private begin(position: string | undefined): void {
    if (this.seen !== undefined) return
    this.seen = position
    this.recent.begin(position)
  }

  private receive(message: Message): void {
    const { id, name } = message
    const isOld = id !== undefined && this.seen !== undefined && (compare(id, this.seen) ?? 1) <= 0
    if (isOld && name !== 'resync') return
    if (id !== undefined) this.seen = id
    this.recent.add(message)
    this.audience.message(message)
  }

  private post(note: Note): void {
    this.channel?.postMessage(note)
  }
}
