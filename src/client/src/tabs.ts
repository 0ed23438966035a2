// One stream for all tabs of a browser: the leader has it, and passes on what it hears. Each tab knows how far it has heard
// itself, and asks for what it has missed, so nothing is lost however leaders come and go.
import type { Connection, ConnectionSink, Phase } from './connection.js'
import { lead } from './leader.js'
import { compare } from './position.js'
import { createRecent } from './recent.js'
import type { Message } from './stream.js'
import { createWatchdog } from './timer.js'

export interface State {
  phase: Phase
  userId: string | undefined
  /** Its present stream, or the last one, went on where another one had ended. */
  resumed: boolean
}

type Note =
  /** From a tab that comes, or has missed something. */
  | { kind: 'hello'; tab: string; seen: string | undefined; wake: boolean }
  /** The answer to it: what came behind `since`. No messages: they are not known any more. */
  | {
      kind: 'welcome'
      tab: string
      state: State
      since: string | undefined
      head: string | undefined
      messages: Message[] | undefined
    }
  | { kind: 'state'; state: State }
  /** Somebody has signed in or out. */
  | { kind: 'reopen' }
  /** `before` is the place of the last one before it. */
  | { kind: 'message'; message: Message; before: string | undefined }

type Welcome = Note & { kind: 'welcome' }

export interface TabsOptions {
  /** The same in all tabs that share. */
  name: string
  /** This one's. */
  tab: string
  /** False: each tab has a stream of its own. */
  share: boolean
  connect(lastId: string | undefined, sink: ConnectionSink, signal: AbortSignal): Connection
}

/** What a tab makes of it. */
export interface Audience {
  state(state: State): void
  /** Each message once, in order. */
  message(message: Message): void
  /** What has happened cannot be told from where the page is. */
  resync(reason: 'start' | 'gap'): void
  /** Somebody else may be signed in. */
  forget(): void
}

export interface Tabs {
  /** How far this tab has heard. */
  seen(): string | undefined
  /** See `Connection`. */
  wake(): void
  cut(): void
  reopen(): void
}

/** How long a leader may take to answer, before a tab that is seen takes the lead. */
const PATIENCE_MS = 3000
/** How long it may be silent, before it is asked whether it is there. */
const SILENCE_MS = 30_000

export function joinTabs(
  { name, tab, share, connect }: TabsOptions,
  seen: string | undefined,
  audience: Audience,
  signal: AbortSignal,
): Tabs {
  let state: State = { phase: 'connecting', userId: undefined, resumed: false }
  /** What the page shows may be older than the stream. */
  let isBehind = seen === undefined
  /** The leader's. */
  let connection: Connection | undefined
  const recent = createRecent(seen)
  let channel = share ? new BroadcastChannel(name) : undefined
  const post = (note: Note): void => channel?.postMessage(note)

  // --- as each ---

  function begin(position: string | undefined): void {
    if (seen === undefined) recent.begin((seen = position))
  }

  function receive(message: Message): void {
    const { id } = message
    const isOld = id !== undefined && seen !== undefined && compare(id, seen) <= 0
    if (isOld && message.name !== 'resync') return
    seen = id ?? seen
    recent.add(message)
    audience.message(message)
  }

  /** What one user has heard is no other one's. */
  function know(now: State): void {
    if (state.userId !== undefined && state.userId !== now.userId) recent.begin(seen)
    state = now
  }

  function say(now: State): void {
    know(now)
    audience.state(now)
    if (isBehind && now.phase === 'live') {
      isBehind = false
      audience.resync('start')
    }
  }

  // --- as the leader ---

  async function term(over: AbortSignal): Promise<void> {
    answer.stop()
    silence.stop()
    connection = connect(seen, sink, over)
    await connection.ended
    connection = undefined
    hello()
  }

  const sink: ConnectionSink = {
    phase(phase) {
      say({ ...state, phase })
      post({ kind: 'state', state })
    },
    ready({ position, userId, resumed }) {
      begin(position)
      know({ ...state, userId, resumed })
    },
    message(message) {
      post({ kind: 'message', message, before: recent.head() })
      receive(message)
    },
  }

  function welcome(to: string, since: string | undefined): void {
    const head = recent.head()
    // Before a stream is open nobody knows what it missed; it asks again then.
    const messages = since === undefined || head === undefined ? [] : recent.since(since)
    post({ kind: 'welcome', tab: to, state, since, head, messages })
  }

  // --- as one of the others ---

  function hello(wake = false): void {
    if (connection || !channel) return
    post({ kind: 'hello', tab, seen, wake })
    answer.start(PATIENCE_MS)
    silence.start(SILENCE_MS)
  }

  const answer = createWatchdog(() => {
    // A tab that nobody sees may wait: it asks again when somebody does.
    if (document.visibilityState === 'visible') leader?.seize()
  })
  const silence = createWatchdog(hello)

  function join(note: Welcome): void {
    answer.stop()
    if (note.messages) {
      begin(note.head)
      note.messages.forEach(receive)
    } else if (note.since === seen) {
      // Otherwise it has found its way since it asked, and may have been told the same before.
      recent.begin((seen = note.head))
      audience.resync('gap')
    }
    say(note.state)
  }

  function overhear(message: Message, before: string | undefined): void {
    const isNext = seen === undefined || before === undefined || compare(before, seen) <= 0
    if (isNext || message.name === 'resync') receive(message)
    else if (!answer.isOn()) hello()
  }

  function follow(now: State): void {
    const isNews = now.phase === 'live' && state.phase !== 'live'
    say(now)
    if (isNews) hello()
  }

  function reopen(): void {
    audience.forget()
    connection?.reopen()
  }

  function hear(note: Note): void {
    if (note.kind === 'reopen') return reopen()
    if (connection) {
      if (note.kind !== 'hello') return // from a leader that has yet to notice that it is none any more
      connection[note.wake ? 'wake' : 'check']()
      return welcome(note.tab, note.seen)
    }
    silence.extend()
    if (note.kind === 'message') overhear(note.message, note.before)
    else if (note.kind === 'state') follow(note.state)
    else if (note.kind === 'welcome' && note.tab === tab) join(note)
  }

  let leader: { seize(): void } | undefined
  if (channel) {
    channel.onmessage = ({ data }: MessageEvent<Note>) => hear(data)
    leader = lead(name, signal, term)
    hello()
  } else void term(signal)
  signal.addEventListener('abort', () => {
    answer.stop()
    silence.stop()
    channel?.close()
    channel = undefined
    say({ ...state, phase: 'connecting' })
  })

  return {
    seen: () => seen,
    wake: () => (connection ? connection.wake() : hello(true)),
    cut: () => connection?.cut(),
    reopen() {
      post({ kind: 'reopen' })
      reopen()
    },
  }
}
