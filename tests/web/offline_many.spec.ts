// Much at once: the server holds what was intended, once.
import { expect } from 'vitest'
import type { Desk } from './support/desk.js'
import { idOf } from './support/offline_page.js'
import { test } from './support/world.js'

interface Intended {
  title: string
  note: string
  parent: string | null
  changes: number
}

/** What rows should be like, by what the page calls them, and the titles of those that were made, in order. */
class Plan {
  readonly rows = new Map<string, Intended>()
  readonly log: string[] = []
  changes = 0

  /** One change, of the kind that `n` says, in this tab. */
  async change(desk: Desk, n: number): Promise<void> {
    const [id = '', row] = [...this.rows][n % Math.max(this.rows.size, 1)] ?? []
    this.changes++
    if (!row || n % 5 === 0) await this.create(desk, n, row ? id : null)
    else if (n % 5 === 1) await this.patch(desk, id, row, { note: `note ${n}` })
    else if (n % 5 === 2) await this.put(desk, id, row, n)
    else if (n % 5 === 3) await this.touch(desk, id, row)
    else if (this.rows.size > 4 && ![...this.rows.values()].some(({ parent }) => parent === id))
      await this.delete(desk, id)
    else await this.patch(desk, id, row, { title: `renamed ${n}` })
  }

  private async create(desk: Desk, n: number, parent: string | null): Promise<void> {
    const title = `row ${n}`
    const id = idOf(await desk.create(title, { note: 'new', ...(parent && { parent }) }))
    this.rows.set(id, { title, note: 'new', parent, changes: 1 })
    this.log.push(`create ${title}`)
  }

  private async patch(desk: Desk, id: string, row: Intended, change: Partial<Intended>): Promise<void> {
    await desk.ask('PATCH', `/api/rows/${id}`, change)
    this.log.push(['patch', row.title, change.title].filter(Boolean).join(' '))
    Object.assign(row, change, { changes: row.changes + 1 })
  }

  private async put(desk: Desk, id: string, row: Intended, n: number): Promise<void> {
    const title = `put ${n}`
    await desk.ask('PUT', `/api/rows/${id}`, { title, note: `put ${n}`, ...(row.parent && { parent: row.parent }) })
    this.log.push(`put ${row.title} ${title}`)
    Object.assign(row, { title, note: `put ${n}`, changes: row.changes + 1 })
  }

  private async touch(desk: Desk, id: string, row: Intended): Promise<void> {
    await desk.ask('POST', `/api/rows/${id}/touch`)
    this.log.push(`touch ${row.title}`)
    row.changes++
  }

  private async delete(desk: Desk, id: string): Promise<void> {
    await desk.ask('DELETE', `/api/rows/${id}`)
    this.log.push(`delete ${this.rows.get(id)?.title}`)
    this.rows.delete(id)
  }
}

const sorted = (rows: object[]): string[] => rows.map((row) => JSON.stringify(row)).sort()

test('fifty changes in two tabs, a reload, and then a network that breaks', async ({ world }) => {
  const { proxy, desk, office } = await world.desk({ connect: true })
  await desk.keepPage()
  await desk.reload()
  const other = await (await desk.sibling()).open(desk.origin, { connect: true })
  await Promise.all([desk.untilLive(), other.untilLive()])
  const before = idOf(await desk.create('before', { note: 'new' }))
  const plan = new Plan()
  plan.rows.set(before, { title: 'before', note: 'new', parent: null, changes: 1 })

  await desk.offline()
  for (let n = 0; n < 50; n++) await plan.change(n % 3 === 0 ? other : desk, n)
  await Promise.all([desk.reload(), other.reload()])
  await desk.untilCounts(50)
  proxy.cutAfter(5000, 'reset') // in the middle of some answer
  await desk.offline(false)
  await Promise.all([desk.untilCounts(0), other.untilCounts(0)])

  expect(await office.log()).toEqual(['create before', ...plan.log])
  const rows = (await office.rows()) as unknown as (Intended & { id: string })[]
  const names = new Map(rows.map(({ id, title }) => [id, title]))
  const nameOf = (id: string | null): string | null => (id && (plan.rows.get(id)?.title ?? names.get(id))) ?? null
  const shape = ({ title, note, parent, changes }: Intended): object => ({
    title,
    note,
    parent: nameOf(parent),
    changes,
  })
  expect(sorted(rows.map(shape))).toEqual(sorted([...plan.rows.values()].map(shape)))
  expect(await desk.told('failure')).toEqual([])
})
