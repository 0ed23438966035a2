// Changes that are made without a network: what the page is answered, and what the server holds in the end.
import { describe, expect } from 'vitest'
import type { Desk } from './support/desk.js'
import { idOf } from './support/offline_page.js'
import { test } from './support/world.js'

const TEMPORARY = /^temp-[0-9a-f]{32}$/

/** Makes the changes without a network, and waits until they are sent. */
async function offline(desk: Desk, act: () => Promise<void>): Promise<void> {
  await desk.offline()
  await act()
  await desk.offline(false)
  await desk.untilCounts(0)
}

describe('without a network', () => {
  test('a creation is answered with what was sent and a temporary id', async ({ world }) => {
    const { desk, office } = await world.desk()
    await offline(desk, async () => {
      const made = await desk.create('one', { note: 'x' })
      expect(made).toEqual({ status: 202, queued: 'create', body: { title: 'one', note: 'x', id: idOf(made) } })
      expect(idOf(made)).toMatch(TEMPORARY)
      await desk.untilCounts(1)
    })
    expect(await office.rows()).toMatchObject([{ title: 'one', note: 'x', changes: 1 }])
    const [replayed, ...others] = await desk.told('replayed')
    expect(others).toEqual([])
    expect(replayed).toMatchObject({ id: (await office.rows())[0]?.['id'], response: { status: 201 } })
    expect(replayed?.entry.tempId).toMatch(TEMPORARY)
    expect((await desk.told('queue')).map(({ length }) => length)).toEqual([1, 0])
  })

  test('a creation with an id of its own keeps it', async ({ world }) => {
    const { desk, office } = await world.desk()
    await offline(desk, async () => {
      expect(await desk.create('one', { id: 'mine' })).toMatchObject({ body: { id: 'mine', title: 'one' } })
    })
    expect(await office.rows()).toMatchObject([{ id: 'mine' }])
  })

  test('a PATCH keeps the real id, and is made of what was sent alone', async ({ world }) => {
    const { desk, office } = await world.desk()
    await desk.create('one', { id: 'r 1', note: 'stays' })
    await offline(desk, async () => {
      const answer = await desk.ask('PATCH', '/api/rows/r%201', { title: 'two' })
      expect(answer).toEqual({ status: 202, queued: 'merge', body: { id: 'r 1', title: 'two' } })
    })
    expect(await office.rows()).toMatchObject([{ id: 'r 1', title: 'two', note: 'stays', changes: 2 }])
  })

  test('PUT, DELETE and actions are answered as what they are', async ({ world }) => {
    const { desk, office } = await world.desk()
    for (const id of ['a', 'b', 'c']) await desk.create(id, { id })
    await offline(desk, async () => {
      const put = await desk.ask('PUT', '/api/rows/a', { title: 'A' })
      expect(put).toEqual({ status: 202, queued: 'replace', body: { id: 'a', title: 'A' } })
      expect(await desk.ask('DELETE', '/api/rows/b')).toEqual({ status: 202, queued: 'delete', body: '' })
      expect(await desk.ask('POST', '/api/rows/c/touch')).toEqual({ status: 202, queued: 'action', body: {} })
    })
    expect(await office.log()).toEqual(['create a', 'create b', 'create c', 'put a A', 'delete b', 'touch c'])
  })

  test('a temporary id becomes the real one in later addresses and bodies', async ({ world }) => {
    const { desk, office } = await world.desk()
    let temporary = ''
    await offline(desk, async () => {
      temporary = idOf(await desk.create('parent'))
      await desk.ask('PATCH', `/api/rows/${temporary}`, { note: 'patched' })
      await desk.create('child', { id: 'child', parent: temporary })
      await desk.ask('POST', `/api/rows/${temporary}/touch`)
    })
    const parent = (await office.rows()).find(({ title }) => title === 'parent')
    expect(parent).toMatchObject({ note: 'patched', changes: 3 })
    expect(await office.get('/api/rows/child')).toMatchObject({ parent: parent?.['id'] })

    expect(await desk.ask('GET', `/api/rows/${temporary}`)).toMatchObject({ status: 200, body: { title: 'parent' } })
    await desk.reload()
    const later = await desk.ask('PATCH', `/api/rows/${temporary}`, { title: 'later' })
    expect(later).toMatchObject({ status: 200, body: { id: parent?.['id'], title: 'later' } })
    await desk.offline()
    const merged = await desk.ask('PATCH', `/api/rows/${temporary}`, { title: 'last' })
    expect(merged.body).toEqual({ id: parent?.['id'], title: 'last' })
  })

  test('a real id that is a number stays one', async ({ world }) => {
    const { desk, office } = await world.desk()
    await offline(desk, async () => {
      const folder = idOf(await desk.ask('POST', '/api/folders', { name: 'f' }))
      await desk.create('in it', { folder })
    })
    expect(await desk.told('failure')).toEqual([])
    expect(await office.rows()).toMatchObject([{ title: 'in it', folder: 1 }])
  })

  test('changes of one millisecond are made in their order, whatever their bodies', async ({ world }) => {
    const { desk, office } = await world.desk()
    const titles = Array.from({ length: 20 }, (_, n) => `t${n}`)
    await offline(desk, async () => {
      await desk.page.evaluate(async (titles) => {
        const { now } = Date
        const at = now()
        Date.now = () => at
        const headers = { 'Content-Type': 'application/json' }
        const send = (text: string, n: number) =>
          window.sync.offlineFetch('/api/rows', { method: 'POST', headers, body: n % 2 ? text : new Blob([text]) })
        await Promise.all(titles.map((title, n) => send(JSON.stringify({ title }), n)))
        Date.now = now
      }, titles)
    })
    expect(await office.log()).toEqual(titles.map((title) => `create ${title}`))
  })

  test('what has a header, bytes or a form arrives as it was', async ({ world }) => {
    const { desk, office } = await world.desk()
    await desk.offline()
    await desk.page.evaluate(async () => {
      const body = new Blob(['{"title":"', new Uint8Array([0xc3, 0xa9]), '","id":"bytes"}'])
      const headers = new Headers({ 'Content-Type': 'application/json', 'X-Other': 'yes' })
      await window.sync.offlineFetch(new Request('/api/rows', { method: 'POST', headers, body }))
    })
    await desk.offline(false)
    await desk.untilCounts(0)
    expect(await office.rows()).toMatchObject([{ id: 'bytes', title: 'é' }])
  })

  test('a change that is made with a network is answered by the server, with the tab as its session', async ({
    world,
  }) => {
    const { desk } = await world.desk()
    const answer = await desk.create('one', { id: 'r' })
    expect(answer).toMatchObject({ status: 201, body: { id: 'r', changes: 1 } })
    expect(answer.queued).toBeUndefined()
    expect(await desk.ask('PATCH', '/api/rows/none', { title: 'x' })).toMatchObject({ status: 404 })
    expect(await desk.told('queue')).toEqual([])
    expect(await desk.counts()).toEqual({ length: 0, failed: 0 })
  })
})
