// The page's own changes: each is written down, sent, in the order in which they were made over all tabs, and answered.
//
// One tab at a time sends, whoever has the lock; when that tab is closed another one goes on. Without Web Locks, on pages that
// come by plain http, each tab sends what is first by itself. Two that send the same entry do no harm: its key has the server
// answer both alike, and neither goes on to a later entry before it is answered. The pages may be told twice.
import type { Host } from '../host.js'
import { fields, parse } from '../json.js'
import { retryAfter } from '../stream.js'
import { aborted } from '../timer.js'
import type { Queue, QueueDetail, QueueEntry, QueueFactory, QueueOptions, Release, StoredResponse } from '../types.js'
import { meaning, type Meaning } from './answers.js'
import { openStore, type Database } from './database.js'
import * as entries from './entries.js'
import { FLUSH, KICK, NONE, WAKE, type Call, type Draft, type Settlement } from './entries.js'
import { hold, isHeld } from './locks.js'
import { plainQueue } from './plain.js'
import { changeOf, isChange, send } from './request.js'
import { temporaryId, temporaryIds, textOf } from './rewrite.js'
import { synthetic } from './synthetic.js'

/** A change that was made. */
interface Written {
  draft: Draft
  isCreation: boolean
  /** Missing where nothing can be kept. */
  entry?: QueueEntry | undefined
  release?: Release
}

/** What tabs tell each other. */
interface Note {
  settled?: Settlement
  /** Nothing is sent before this time. Infinity: nobody is signed in. */
  until?: number
  /** There is something new, and whoever made it waits. */
  isNew?: boolean
}

function idField(body: unknown): string | number | undefined {
  const id = body instanceof Object && 'id' in body && body.id
  return typeof id === 'string' || typeof id === 'number' ? id : undefined
}

const isOffline = (): boolean => navigator.onLine === false

/** For `createSync`. Where a browser has no database, changes are sent at once, or not at all. */
export function offlineQueue(options: QueueOptions = {}): QueueFactory {
  return (host) => (typeof indexedDB === 'undefined' ? plainQueue(host) : createQueue(host, options))
}

function createQueue(host: Host, options: QueueOptions): Queue {
  const {
    name = `pillar queue ${host.scope}`,
    maxEntries = 1000,
    maxBodyBytes = 1_048_576,
    requestTimeout = 30_000,
    maxAttempts = 10,
    keyAge = 23 * 3_600_000,
    creates = () => true,
    idOf = idField,
  } = options
  const { use, close } = openStore(name)
  const channel = new BroadcastChannel(name)
  /** By key: what to call with the answer to an entry, or without one when it is not sent for now. */
  const waiting = new Map<string, (response?: StoredResponse) => void>()
  let counts: QueueDetail = { length: 0, failed: 0 }
  let timer: ReturnType<typeof setTimeout> | undefined
  /** Whom this tab has noted as signed in. A tab that knows it from earlier must not overrule one that knows better. */
  let noted: string | undefined
  /** Changes were made, or refused, and nobody has heard the answer who waited for it. */
  let isStale = false
  let isClosed = false
  let isWarned = false
  let sending = Promise.resolve()
  let writing: Promise<unknown> = sending

  const lockOf = (key: string): string => name + key

  // --- what tabs tell each other, and their pages ---

  function publish(note: Note): void {
    if (isClosed) return
    channel.postMessage(note)
    receive(note)
  }

  function receive({ settled, until, isNew }: Note): void {
    if (settled) hear(settled)
    if (until) {
      halt(until)
      tellStale()
    }
    if (until === Infinity) host.expired()
    // Whoever is to send it may be closed before it has.
    if (isNew) timer ??= setTimeout(tick, requestTimeout)
    else void count()
  }

  /** Nothing is sent before this time. Each tab has a timer of its own, since those of hidden tabs are late. */
  function halt(until: number): void {
    waiting.forEach((answer) => answer())
    clearTimeout(timer)
    timer = until < Infinity ? setTimeout(tick, until - Date.now()) : undefined
  }

  function tick(): void {
    timer = undefined
    void drain(KICK)
  }

  function hear(settled: Settlement): void {
    const { entry, response, reason, id, isLost, isWaited } = settled
    const answer = waiting.get(entry.key)
    answer?.(response)
    if (isLost) host.tell('pillar:resync', { reason: 'unknown-answer' })
    if (isWaited) {
      // Whoever made it has just stopped waiting.
      if (!answer && entry.sessionId === host.sessionId) void settle({ ...settled, isWaited: false })
      return
    }
    isStale = true
    if (reason) host.tell('pillar:failure', { entry, reason, ...(response && { response }) })
    else if (response && !isLost) host.tell('pillar:replayed', { entry, response, ...(id !== undefined && { id }) })
  }

  /** What the page shows has temporary ids in it, and changes that were refused. */
  function tellStale(): void {
    if (isStale) host.tell('pillar:resync', { reason: 'replayed' })
    isStale = false
  }

  async function count(): Promise<void> {
    const now = await own(async (db, user) => ({
      length: await entries.countOf(db, 'entries', user),
      failed: await entries.countOf(db, 'failures', user),
    })).catch(() => counts)
    if (isClosed) return
    const isNews = now.length !== counts.length || now.failed !== counts.failed
    counts = now
    if (isNews) host.tell('pillar:queue', now)
    if (counts.length === 0) tellStale()
  }

  // --- sending ---

  async function settle(settled: Settlement): Promise<boolean> {
    await use((db) => entries.settle(db, settled))
    publish({ settled })
    return true
  }

  async function ask(entry: QueueEntry, signal: AbortSignal): Promise<StoredResponse> {
    const response = await send(host, entry, { redirect: 'manual', signal })
    return { status: response.status, headers: [...response.headers], body: await response.arrayBuffer() }
  }

  async function attempt(entry: QueueEntry): Promise<{ response?: StoredResponse; means: Meaning }> {
    const over = AbortSignal.timeout(requestTimeout)
    // The page's own headers may not come, either.
    const response = await Promise.race([ask(entry, over), aborted(over)]).catch(() => undefined)
    if (!response) return { means: 'later' }
    return { response, means: meaning(response, new Headers(entry.headers).get('Accept')) }
  }

  async function postpone(level: number, after: number | undefined): Promise<boolean> {
    const until = await use((db) => entries.postpone(db, level, after))
    publish({ until })
    return false
  }

  /** Sends an entry, and says whether to go on. */
  async function deliver(entry: QueueEntry): Promise<boolean> {
    let { response, means } = await attempt(entry)
    if (means === 'login' && (await host.refresh())) ({ response, means } = await attempt(entry))
    const isWaited = waiting.has(entry.key) || (await isHeld(lockOf(entry.key)))
    if (isClosed) return false
    const after = response && retryAfter(new Headers(response.headers))
    if (means === 'done') host.reached()
    if (means === 'login') return postpone(NONE, after)
    if (means === 'later') return postpone(after === undefined ? KICK : WAKE, after)
    const attempts = entry.attempts + 1
    if (means === 'failing' && !isWaited && attempts < maxAttempts) {
      await use((db) => entries.replace(db, { ...entry, attempts }))
      return postpone(WAKE, after)
    }
    const reason = means === 'failing' || means === 'refused' ? means : undefined
    const id = means === 'done' && response ? idOf(parse(textOf(response.body))) : undefined
    return settle({ entry, response, reason, id, isWaited, isLost: means === 'unknown' })
  }

  const lastUser = async (db: Database): Promise<string> => (await db.get('user', 0)) ?? ''

  /** Who is signed in, if this tab knows that anybody is: then it is who any tab has heard of last. Or nobody, ''. */
  async function present(db: Database): Promise<string> {
    const user = host.userId()
    if (user && user !== noted) await db.put('user', (noted = user), 0)
    return user ? lastUser(db) : ''
  }

  async function step(call: Call): Promise<boolean> {
    if (isClosed) return false
    const next = isOffline()
      ? { until: Infinity }
      : await use(async (db) => entries.next(db, await present(db), call, keyAge))
    if (!next) return false
    if ('entry' in next) return next.reason ? settle(next) : deliver(next.entry)
    halt(next.until)
    return false
  }

  async function run(call: Call): Promise<void> {
    const release = await hold(name)
    try {
      while (await step(call));
    } finally {
      release()
    }
  }

  /** Ends when there is nothing more to send, or nothing can be sent. */
  function drain(urgency: number): Promise<void> {
    const call = { urgency, since: Date.now() }
    // Where the database fails: what is in it will be there when it works again.
    return (sending = sending.then(() => run(call)).catch(() => halt(Date.now() + requestTimeout)))
  }

  // --- what the page calls ---

  /** Where nothing can be kept, as in the private windows of some browsers, changes are sent as they are. */
  function warn(problem: unknown): undefined {
    if (!isWarned) console.warn('pillar: changes are sent without a queue:', problem)
    isWarned = true
  }

  function limit(what: string, value: number): DOMException {
    return new DOMException(`a change beyond ${what}, ${value}`, 'QuotaExceededError')
  }

  /** Writes a change down. Its lock says that somebody waits for its answer. */
  async function write(made: Request): Promise<Written> {
    const change = await changeOf(made, host)
    const { method, url, body, key } = change
    if (body && body.byteLength > maxBodyBytes) throw limit('maxBodyBytes', maxBodyBytes)
    const text = textOf(body)
    const isCreation = method === 'POST' && creates({ url: new URL(url), body: parse(text) })
    const draft = {
      ...change,
      queuedAt: Date.now(),
      attempts: 0,
      ...(isCreation && fields(text)['id'] == null && { tempId: temporaryId() }),
    }
    const release = await hold(lockOf(key)).catch(warn)
    if (!release) return { draft, isCreation }
    const entry = await use((db) => entries.add(db, draft, maxEntries)).catch((problem: unknown) => {
      if (!(problem instanceof DOMException && problem.name === 'QuotaExceededError')) return warn(problem)
      // Others wait: sent as it is, it would overtake them.
      release()
      throw problem
    })
    if (entry === null) release()
    if (entry === null) throw limit('maxEntries', maxEntries)
    return { draft, isCreation, entry, release }
  }

  /** Undefined when it is not sent for now. */
  function answerTo({ key, seq }: QueueEntry, signal: AbortSignal): Promise<StoredResponse | undefined> {
    return new Promise((resolve, reject) => {
      // Whoever has an answer, though it be a synthetic one, waits no longer: a later abort takes nothing back.
      const answer = (response?: StoredResponse): void => {
        waiting.delete(key)
        clearTimeout(patience)
        signal.removeEventListener('abort', abort)
        resolve(response)
      }
      const abort = (): void => {
        reject(signal.reason)
        answer()
        void use((db) => entries.forget(db, seq, false)).then(() => publish({}))
      }
      const patience = setTimeout(answer, requestTimeout)
      if (signal.aborted) return abort()
      signal.addEventListener('abort', abort)
      waiting.set(key, answer)
      publish({ isNew: true })
      void drain(KICK)
    })
  }

  async function change(made: Request): Promise<Response> {
    // One at a time: they are written down in the order in which they were made.
    const turn = writing.then(() => write(made))
    writing = turn.catch(() => {})
    const { draft, isCreation, entry, release } = await turn
    if (!entry) return send(host, draft, { signal: made.signal }).finally(release)
    try {
      const answer = isOffline() ? undefined : await answerTo(entry, made.signal)
      // Some statuses go without a body (Fetch, section 2.2.3).
      if (answer) return new Response(answer.body.byteLength ? answer.body : null, answer)
      // What is kept is somebody's: as far as can be told, of whoever was signed in last. It is sent as nobody else.
      if (!host.isForgotten()) await own((db, user) => entries.claim(db, entry, user))
      await count()
      return synthetic(entry, isCreation)
    } finally {
      release?.()
      publish({})
    }
  }

  /** The page may still call a row by its temporary id. */
  async function read(made: Request): Promise<Response> {
    if (temporaryIds(made.url).length === 0) return host.fetch(made)
    const url = await use((db) => entries.realText(db, made.url)).catch(() => made.url)
    return host.fetch(new Request(url, made))
  }

  /** `read` of whoever was signed in last. */
  const own = <T>(read: (db: Database, user: string) => Promise<T>): Promise<T> =>
    use(async (db) => read(db, await lastUser(db)))

  async function edit(act: (db: Database) => Promise<void>): Promise<void> {
    await use(act)
    publish({})
  }

  const asleep = host.onWake(() => void drain(WAKE).then(count))
  channel.onmessage = ({ data }: MessageEvent<Note>) => receive(data)
  void use(entries.prune).catch(warn)
  void count()
  void drain(WAKE)

  return {
    get length() {
      return counts.length
    },
    get failed() {
      return counts.failed
    },
    entries: () => own(entries.entriesOf),
    failures: () => own(entries.failuresOf),
    dismiss: (seq) => edit((db) => entries.forget(db, seq, true)),
    async retry(seq) {
      await edit((db) => entries.retry(db, seq, host.sessionId))
      await drain(FLUSH)
    },
    flush: () => drain(FLUSH),
    async offlineFetch(input, init) {
      const made = new Request(input, init)
      return isChange(made) ? change(made) : read(made)
    },
    close() {
      isClosed = true
      asleep()
      clearTimeout(timer)
      channel.close()
      waiting.forEach((answer) => answer())
      close()
    },
  }
}
