// Changes are sent once, in order, whatever becomes of the network, of the page and of other tabs meanwhile.
import { describe, expect } from 'vitest'
import { until } from './support/wait.js'
import { test } from './support/world.js'

describe('an answer that is lost', () => {
  for (const how of ['end', 'reset'] as const) {
    test(`is not a change that is made twice (${how})`, async ({ world }) => {
      const { proxy, desk, office } = await world.desk()
      await desk.create('zero')
      // Without TLS, Chromium takes a head that ends early for a whole one.
      proxy.cutAfter(proxy.headBytes + 10, how)
      const answer = await desk.create('one')
      expect(answer).toMatchObject({ status: 202, queued: 'create' })
      expect(await office.log()).toEqual(['create zero', 'create one'])
      await desk.untilCounts(0)
      expect(await office.log()).toEqual(['create zero', 'create one'])
      expect(await desk.told('replayed')).toMatchObject([{ response: { status: 201 } }])
    })
  }

  test('leaves an abort without effect on what was sent', async ({ world }) => {
    const { broker, desk, office } = await world.desk()
    const reply = desk.page.evaluate(async () => {
      const abort = new AbortController()
      const reply = window.ask('POST', '/api/slow', {}, { signal: abort.signal })
      while (!(await window.waiting()).some(({ sentAt }) => sentAt)) await new Promise((resolve) => setTimeout(resolve))
      abort.abort()
      return reply
    })
    expect(await reply).toMatchObject({ error: 'AbortError' })
    expect(await desk.waiting()).toHaveLength(1)
    await broker.release()
    await desk.untilCounts(0)
    await until('the change', async () => (await office.log()).length === 1)
  })
})

describe('an abort', () => {
  test('takes back what was not sent yet', async ({ world }) => {
    const { broker, desk, office } = await world.desk()
    const replies = desk.page.evaluate(async () => {
      const abort = new AbortController()
      const slow = window.ask('POST', '/api/slow', {})
      const reply = window.ask('POST', '/api/rows', { title: 'one' }, { signal: abort.signal })
      while ((await window.waiting()).length < 2) await new Promise((resolve) => setTimeout(resolve))
      abort.abort()
      const already = await window.ask('POST', '/api/rows', { title: 'two' }, { signal: abort.signal })
      return { one: await reply, already, slow: await slow }
    })
    await broker.begunCalls(1)
    await broker.release()
    expect(await replies).toMatchObject({
      one: { error: 'AbortError' },
      already: { error: 'AbortError' },
      slow: { status: 200 },
    })
    await desk.untilCounts(0)
    expect(await office.log()).toEqual(['slow'])
  })
})

describe('an abort that comes after the answer', () => {
  test('takes nothing back, though the answer is a synthetic one', async ({ world }) => {
    const { proxy, desk, office } = await world.desk()
    proxy.breakAll()
    proxy.cut()
    const replies = await desk.page.evaluate(async () => {
      const headers = { 'Content-Type': 'application/json' }
      const abort = new AbortController()
      const one = await window.ask('POST', '/api/rows', { title: 'one' })
      const two = await window.ask('POST', '/api/rows', { title: 'two' }, { headers, signal: abort.signal })
      abort.abort()
      return [one, two]
    })
    expect(replies).toMatchObject([{ status: 202 }, { status: 202 }])
    expect(await desk.waiting()).toHaveLength(2)
    proxy.mend()
    await desk.flush()
    await desk.untilCounts(0)
    expect(await office.log()).toEqual(['create one', 'create two'])
  })
})

describe('a page that is loaded anew', () => {
  test('in the middle of its replay goes on with it', async ({ world }) => {
    const { broker, desk, office } = await world.desk()
    await desk.offline()
    await desk.create('one')
    await desk.ask('POST', '/api/slow', {})
    await desk.create('two')
    await desk.offline(false)
    await broker.begunCalls(2)
    await desk.reload()
    await desk.untilCounts(2)
    await broker.release()
    await desk.untilCounts(0)
    expect(await office.log()).toEqual(['create one', 'slow', 'create two'])
    expect(await desk.told('failure')).toEqual([])
  })

  test('has what was made in the middle of a request', async ({ world }) => {
    const { broker, proxy, desk, office } = await world.desk()
    proxy.hold()
    void desk.create('one').catch(() => {})
    await until('the change', async () => (await desk.waiting()).some(({ sentAt }) => sentAt))
    proxy.cut()
    proxy.release()
    await desk.open(broker.origin).catch(() => {})
    await desk.open(proxy.origin)
    await desk.untilCounts(0)
    expect(await office.log()).toEqual(['create one'])
  })

  test('without a network shows its queue, and sends it later as the same user', async ({ world }) => {
    const { desk, office } = await world.desk({ connect: true })
    await desk.keepPage()
    await desk.untilLive()
    await desk.create('zero')
    await desk.offline()
    await desk.create('one')
    await desk.reload()
    await desk.untilCounts(1)
    await desk.create('two')
    expect((await desk.waiting()).map(({ userId }) => userId)).toEqual(['ada', 'ada'])
    await desk.offline(false)
    await desk.untilCounts(0)
    expect(await office.log()).toEqual(['create zero', 'create one', 'create two'])
  })
})

describe('a queue that belongs to somebody else', () => {
  test('is neither shown nor sent, nor in the way', async ({ world }) => {
    const { desk, office } = await world.desk({ connect: true })
    await desk.untilLive()
    await desk.offline()
    await desk.create('of ada')
    await desk.close()
    const other = await desk.sibling()
    await other.page.context().setOffline(false)
    await other.page.context().clearCookies()
    await other.open(desk.origin)
    await other.signIn('grace')
    await other.open(desk.origin, { connect: true })
    await other.untilLive('grace')
    expect(await other.create('of grace')).toMatchObject({ status: 201 })
    await other.flush()
    await other.untilCounts(0)
    expect(await other.waiting()).toEqual([])
    expect(await office.get('/api/authors')).toEqual(['grace'])

    await other.signIn('ada')
    await other.reload()
    await until('the changes of ada', async () => (await office.log()).length === 2)
    expect(await office.get('/api/authors')).toEqual(['grace', 'ada'])
  })

  test('is not sent by a tab that knew its owner from earlier', async ({ world }) => {
    const { desk, office } = await world.desk({ connect: true })
    await desk.untilLive()
    await desk.page.context().clearCookies() // while the stream goes on
    expect(await desk.create('of ada')).toMatchObject({ status: 202 })
    await desk.signIn('grace')
    await desk.flush()
    await desk.untilLive('grace')
    await desk.flush()
    expect(await desk.waiting()).toEqual([])
    expect(await office.log()).toEqual([])

    await desk.signIn('ada')
    await desk.reload()
    await until('the change of ada', async () => (await office.log()).length === 1)
    expect(await office.get('/api/authors')).toEqual(['ada'])
  })
})

describe('two tabs', () => {
  for (const lockless of [false, true]) {
    test(`send each change once, in the order of both${lockless ? ', without Web Locks' : ''}`, async ({ world }) => {
      const { desk, office } = await world.desk({ lockless })
      const other = await (await desk.sibling()).open(desk.origin, { lockless })
      await desk.offline()
      const titles = Array.from({ length: 12 }, (_, n) => `t${n}`)
      for (const [n, title] of titles.entries()) await (n % 2 ? desk : other).create(title)
      await Promise.all([desk.untilCounts(12), other.untilCounts(12)])
      await desk.offline(false)
      await Promise.all([desk.untilCounts(0), other.untilCounts(0)])
      expect(await office.log()).toEqual(titles.map((title) => `create ${title}`))
      if (!lockless) {
        expect(await desk.told('replayed')).toHaveLength(12)
        expect(await other.told('replayed')).toHaveLength(12)
      }
    })
  }

  test('each get the answers to what they have made, whichever sends', async ({ world }) => {
    const { desk, office } = await world.desk()
    const other = await (await desk.sibling()).open(desk.origin)
    const titles = Array.from({ length: 20 }, (_, n) => `t${n}`)
    const replies = await Promise.all(titles.map((title, n) => (n % 2 ? desk : other).create(title, { id: title })))
    expect(replies.map(({ status }) => status)).toEqual(titles.map(() => 201))
    expect(replies.map(({ body }) => body)).toMatchObject(titles.map((title) => ({ title })))
    expect(await office.rows()).toHaveLength(20)
    const refused = await Promise.all(titles.map((_, n) => (n % 2 ? desk : other).ask('DELETE', `/api/rows/none${n}`)))
    expect(refused.map(({ status }) => status)).toEqual(titles.map(() => 404))
    for (const one of [desk, other]) {
      expect([await one.told('failure'), await one.told('replayed')]).toEqual([[], []])
    }
  })

  test('go on when the one that sends is closed', async ({ world }) => {
    const { broker, desk, office } = await world.desk()
    const other = await (await desk.sibling()).open(desk.origin)
    void desk.ask('POST', '/api/slow', {}).catch(() => {})
    await broker.begunCalls(1)
    const reply = other.create('one')
    await until('both', async () => (await other.waiting()).length === 2)
    await desk.close()
    await broker.release()
    expect(await reply).toMatchObject({ status: 201 })
    expect(await office.log()).toEqual(['slow', 'create one'])
  })

  test('do not try more often than one', async ({ world }) => {
    const { broker, desk } = await world.desk()
    const tabs = [desk]
    for (const _ of [1, 2, 3, 4]) tabs.push(await (await desk.sibling()).open(desk.origin))
    for (const tab of tabs) await tab.page.evaluate(() => void (Math.random = () => 0.999)) // no jitter: a second
    await broker.trouble('gateway')
    await desk.create('one')
    await broker.begunCalls(2) // after a second, in whatever tab
    const at = Date.now()
    await broker.begunCalls(3) // two seconds after it
    expect(Date.now() - at).toBeGreaterThan(1500)
    await broker.trouble('')
    await Promise.all(tabs.map((tab) => tab.untilCounts(0)))
  })
})
