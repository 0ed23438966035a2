// What the page knows, and what it does. Three things come together here: the data as the server has told it, the changes
// that it has not answered yet, and what people ought to notice.
import type { FailureDetail, ReplayedDetail, Sync, SyncEvent } from 'pillar-client'
import { Refusal, messageOf, readBody } from './api.js'
import { apply } from './apply.js'
import { addressOf, creates, mentions, renamed, told, type Change } from './changes.js'
import { Ids, randomKey } from './ids.js'
import { loadData } from './load.js'
import { NOTHING, type Data, type User } from './model.js'
import { fromEntry, reconciled, withPending } from './pending.js'
import { isFields, type Fields } from './rows.js'
import { bodyOf, describe, intentOf, reasonOf, type People } from './words.js'

/** Something that somebody did. */
export interface Activity {
  id: number
  userId: string | undefined
  projectId: string | undefined
  text: string
  at: number
}

/**
 * Worth more than a line among others: a problem, a change say that was not taken and is not in the queue any more, or news
 * of what others have done to this user.
 */
export interface Notice {
  id: number
  kind: 'problem' | 'news'
  text: string
}

export interface Failure {
  detail: FailureDetail
  change: Change
  /** Why it was not taken. */
  why: string
}

export interface Highlight {
  userId: string | undefined
  /** Who that is, in words; empty where a change came of what this page did. */
  who: string
}

export interface View {
  data: Data
  loaded: boolean
  /** Tasks that were just changed by others, and by whom. */
  fresh: ReadonlyMap<string, Highlight>
  /** By whom each task was last changed, as far as this page has seen. */
  changedBy: ReadonlyMap<string, string>
  activity: readonly Activity[]
  notices: readonly Notice[]
  failures: readonly Failure[]
  /** Ids of tasks with changes that wait. */
  waiting: ReadonlySet<string>
}

const HIGHLIGHT_MS = 4000
/** The pause after a load that failed, at first and at most. */
const RETRY_MS = { min: 1000, max: 30_000 }
const ACTIVITY_LIMIT = 100

type Listener = () => void

export class Store {
  readonly ids = new Ids()
  private base: Data = NOTHING
  private pending: readonly Change[] = []
  private view: View = {
    data: NOTHING,
    loaded: false,
    fresh: new Map(),
    changedBy: new Map(),
    activity: [],
    notices: [],
    failures: [],
    waiting: new Set(),
  }
  /** Events that came while everything was being fetched: they may be newer. */
  private held: SyncEvent[] | undefined
  private loading: Promise<void> | undefined
  private isStale = false
  /** The last load has failed: what is shown may be out of date. */
  private isBehind = false
  private pause = RETRY_MS.min
  private timer: ReturnType<typeof setTimeout> | undefined
  private readonly listeners = new Set<Listener>()
  private count = 0

  constructor(
    readonly sync: Sync,
    readonly user: User,
    private readonly users: ReadonlyMap<string, User>,
    /** Says something to those who do not see the page. */
    private readonly announce: (text: string) => void,
    private readonly ownSessions: ReadonlySet<string>,
  ) {}

  readonly snapshot = (): View => this.view

  readonly subscribe = (listener: Listener): Listener => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  private get people(): People {
    return { me: this.user.id, nameOf: this.nameOf }
  }

  readonly nameOf = (userId: string | undefined): string =>
    userId === undefined ? 'The server' : (this.users.get(userId)?.name ?? userId)

  // --- what the server tells ---

  /** Fetches everything. What happens meanwhile is applied on top; asked for meanwhile, it is done once more. */
  load(): Promise<void> {
    this.isStale = this.loading !== undefined
    return (this.loading ??= this.fetchAll().finally(() => {
      this.loading = undefined
      if (this.isStale) void this.load()
    }))
  }

  /** If the last load has failed. */
  catchUp(): void {
    if (this.isBehind) void this.load()
  }

  private async fetchAll(): Promise<void> {
    this.held = []
    clearTimeout(this.timer)
    try {
      this.base = await loadData()
      this.isBehind = false
      this.pause = RETRY_MS.min
      this.update({ loaded: true })
    } catch (problem) {
      this.isStale = false
      if (!this.view.loaded && !this.isBehind) this.notice('The board could not be loaded. It is tried again.')
      this.isBehind = true
      // Whoever is not signed in has to do something first.
      if (!(problem instanceof Refusal && problem.status === 401)) this.loadLater()
    } finally {
      const held = this.held
      this.held = undefined
      held.forEach((event) => (this.base = apply(this.base, event)))
      this.show()
    }
  }

  private loadLater(): void {
    this.timer = setTimeout(() => this.catchUp(), this.pause * (0.5 + Math.random() / 2))
    this.pause = Math.min(2 * this.pause, RETRY_MS.max)
  }

  /** Takes an event of the stream. */
  receive(event: SyncEvent): void {
    if (event.action === 'resync') return void this.load()
    const before = this.shown()
    this.take(event)
    this.notify(event, before)
    // A project that appears brings tasks and members with it.
    if (event.entity === 'project' && event.action === 'created') void this.load()
  }

  private take(event: SyncEvent): void {
    this.held?.push(event)
    this.base = apply(this.base, event)
    this.show()
  }

  private notify(event: SyncEvent, before: Data): void {
    const text = describe(event, before, this.view.data, this.people)
    if (!text) return
    this.record(event.userId, event, text, event.timestamp)
    if (this.isOwn(event)) return
    this.announce(`${this.authorOf(event) || 'The server'} ${text}`)
    if (event.entity === 'project' && event.action !== 'updated' && event.userId !== this.user.id)
      this.notice(`${this.nameOf(event.userId)} ${text}.`, 'news')
    if (event.entity === 'task' && event.entityId !== undefined) this.highlight(event.entityId, event)
  }

  private record(userId: string | undefined, event: SyncEvent, text: string, at = Date.now()): void {
    const task = event.entity === 'task' ? this.view.data.tasks.get(event.entityId ?? '') : undefined
    const isOfProject = event.entity === 'project' || event.entity === 'member'
    const given = event.projectId ?? task?.projectId ?? (isOfProject ? event.entityId : undefined)
    // The end of a project is told in the others: nobody looks at it any more.
    const projectId = isOfProject && !this.view.data.projects.has(given ?? '') ? undefined : given
    const one = { id: ++this.count, userId, projectId, text, at }
    this.update({ activity: [one, ...this.view.activity].slice(0, ACTIVITY_LIMIT) })
  }

  /** A change of this tab's from before the page was loaded anew, or one that is shown here as waiting: no news. */
  private isOwn({ userId, sessionId }: SyncEvent): boolean {
    if (userId !== this.user.id || sessionId === undefined) return false
    return this.ownSessions.has(sessionId) || this.pending.some((change) => change.sessionId === sessionId)
  }

  /** One's own changes come from other devices, or from the server, which goes on with what one has done. */
  private authorOf({ userId, sessionId }: SyncEvent): string {
    if (userId !== this.user.id) return this.nameOf(userId)
    return sessionId === undefined ? '' : 'You, elsewhere,'
  }

  private highlight(id: string, event: SyncEvent): void {
    const { userId } = event
    const mark: Highlight = { userId, who: this.authorOf(event).replace(/,$/, '') }
    const changedBy = userId === undefined ? this.view.changedBy : new Map(this.view.changedBy).set(id, userId)
    this.update({ fresh: new Map(this.view.fresh).set(id, mark), changedBy })
    setTimeout(() => {
      if (this.view.fresh.get(id) !== mark) return
      const fresh = new Map(this.view.fresh)
      fresh.delete(id)
      this.update({ fresh })
    }, HIGHLIGHT_MS)
  }

  // --- what the page does ---

  /**
   * Sends a change, and shows at once what is to come of it. Resolves to the id of the row that it makes or concerns; to
   * undefined when it was not taken.
   */
  async change(method: string, path: string, body: Fields = {}): Promise<string | undefined> {
    const tempId = method === 'POST' && creates(path) ? this.ids.temporary() : undefined
    const asked: Change = { key: randomKey(), method, path, body, what: '', queued: false, ...(tempId && { tempId }) }
    const before = this.shown()
    const named = renamed(asked, this.ids.now)
    const change = { ...named, what: intentOf(named, before, this.people) }
    this.setPending([...this.pending, change])
    const sent = this.send(change, before)
    if (tempId !== undefined)
      this.ids.expect(
        tempId,
        sent.then(() => {}),
      )
    return sent
  }

  private async send(given: Change, before: Data): Promise<string | undefined> {
    await this.ids.settled((id) => mentions(given, id))
    const change = this.pending.find(({ key }) => key === given.key) ?? given
    try {
      const response = await this.sync.offlineFetch(addressOf(change), {
        method: change.method,
        headers: { 'Content-Type': 'application/json', 'Idempotency-Key': change.key },
        ...(change.method !== 'DELETE' && { body: JSON.stringify(change.body) }),
      })
      return this.answered(change, before, response, await readBody(response))
    } catch (problem) {
      this.giveUp(change, problem instanceof Error ? problem.message : String(problem))
      return undefined
    }
  }

  private answered(change: Change, before: Data, response: Response, body: unknown): string | undefined {
    const id = isFields(body) && typeof body['id'] === 'string' ? body['id'] : undefined
    if (response.headers.has('X-Pillar-Queued')) {
      this.named(change.tempId, id)
      this.replace(change.key, (one) => ({ ...one, queued: true, ...(one.tempId && id && { tempId: id }) }))
      return id
    }
    if (!response.ok) {
      this.giveUp(change, messageOf(body) ?? `the server answered ${response.status}`)
      return undefined
    }
    this.settle(change, body, id, before)
    return id ?? change.path
  }

  /** The server has taken a change. */
  private settle(change: Change, answer: unknown, id: string | undefined, before: Data): void {
    this.named(change.tempId, id)
    const events = told({ data: this.base, userId: this.user.id }, change, answer ?? undefined)
    for (const event of events) {
      this.held?.push(event)
      this.base = apply(this.base, event)
    }
    this.setPending(this.pending.filter(({ key }) => key !== change.key))
    const event = events[0] && { ...events[0], userId: this.user.id }
    const text = event && describe(event, before, this.view.data, this.people)
    if (event && text) this.record(this.user.id, event, text)
  }

  private named(tempId: string | undefined, id: string | undefined): void {
    if (tempId === undefined || id === undefined) return
    this.ids.rename(tempId, id)
    this.pending = this.pending.map((change) => renamed(change, this.ids.now))
  }

  private giveUp(change: Change, why: string): void {
    this.setPending(this.pending.filter(({ key }) => key !== change.key))
    this.notice(`${change.what} was not saved: ${why}.`)
  }

  // --- the queue ---

  /** What waits is in the queue, whoever put it there: another tab, or this one before it was loaded anew. */
  async readQueue(): Promise<void> {
    const known = this.pending.filter(({ queued }) => queued).map(({ key }) => key)
    const [entries, failures] = await Promise.all([this.sync.queue.entries(), this.sync.queue.failures()])
    this.setPending(reconciled(this.pending, known, entries))
    this.update({ failures: failures.map((detail) => this.explain(detail)) })
  }

  replayed({ entry, response, id }: ReplayedDetail): void {
    const change = this.pending.find(({ key }) => key === entry.key) ?? fromEntry(entry)
    this.settle(change, bodyOf(response), id === undefined ? undefined : String(id), this.base)
  }

  failed({ entry }: FailureDetail): void {
    this.setPending(this.pending.filter(({ key }) => key !== entry.key))
    void this.readQueue()
  }

  private explain(detail: FailureDetail): Failure {
    const change = renamed(fromEntry(detail.entry), this.ids.now)
    const what = change.what || intentOf(change, this.view.data, this.people)
    return { detail, change: { ...change, what }, why: reasonOf(detail) }
  }

  // --- what is shown ---

  notice(text: string, kind: Notice['kind'] = 'problem'): void {
    this.update({ notices: [...this.view.notices, { id: ++this.count, kind, text }] })
  }

  dismiss(id: number): void {
    this.update({ notices: this.view.notices.filter((notice) => notice.id !== id) })
  }

  private replace(key: string, how: (change: Change) => Change): void {
    this.setPending(this.pending.map((change) => (change.key === key ? how(change) : change)))
  }

  private setPending(pending: readonly Change[]): void {
    this.pending = pending
    this.show()
  }

  private shown(): Data {
    return withPending(this.base, this.pending, this.user.id)
  }

  private show(): void {
    const queued = this.pending.filter((change) => change.queued)
    const where = { data: this.base, userId: this.user.id }
    const ids = queued.flatMap((change) => told(where, change).map(({ entityId }) => entityId ?? ''))
    this.update({ data: this.shown(), waiting: new Set(ids) })
  }

  private update(part: Partial<View>): void {
    this.view = { ...this.view, ...part }
    this.listeners.forEach((listener) => listener())
  }
}
