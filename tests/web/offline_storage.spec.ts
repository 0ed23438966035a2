// The database behind the queue, and what the page adds to a request.
import { describe, expect } from 'vitest'
import { until } from './support/wait.js'
import { test } from './support/world.js'

describe('where nothing can be kept', () => {
  test('changes are sent as they are, with a word on the console', async ({ world }) => {
    const { desk, office } = await world.desk()
    const words: string[] = []
    desk.page.on('console', (message) => words.push(message.text()))
    await desk.page.addInitScript(() => {
      IDBFactory.prototype.open = () => {
        throw new DOMException('not here', 'SecurityError')
      }
    })
    await desk.reload()
    expect(await desk.create('one')).toMatchObject({ status: 201 })
    expect(await desk.create('two')).toMatchObject({ status: 201 })
    expect(await desk.ask('GET', '/api/rows/temp-00000000000000000000000000000000')).toMatchObject({ status: 404 })
    expect(await office.log()).toEqual(['create one', 'create two'])
    expect(words.filter((word) => word.includes('without a queue'))).toHaveLength(1)
    await desk.offline()
    expect(await desk.create('three')).toMatchObject({ error: 'TypeError' })
  })

  test('because nobody wants it, changes carry a key and the session all the same', async ({ world }) => {
    const { desk, office } = await world.desk({ queue: false })
    const sent = desk.page.waitForRequest(/api.rows/)
    expect(await desk.create('one')).toMatchObject({ status: 201 })
    const headers = (await sent).headers()
    expect(headers['idempotency-key']).toMatch(/^[0-9a-f]{32}$/)
    expect(headers['x-session-id']).toBe(await desk.page.evaluate(() => window.sync.sessionId))
    expect(await office.log()).toEqual(['create one'])
  })
})

describe('a database', () => {
  test('that is deleted makes way, and is made anew', async ({ world }) => {
    const { desk, office } = await world.desk()
    await desk.create('one')
    const deleted = await desk.page.evaluate(async () => {
      for (const { name = '' } of await indexedDB.databases()) {
        await new Promise((resolve, reject) => {
          const request = indexedDB.deleteDatabase(name)
          request.onsuccess = resolve
          request.onblocked = reject
        })
      }
      return (await indexedDB.databases()).length
    })
    expect(deleted).toBe(0)
    await desk.offline()
    expect(await desk.create('two')).toMatchObject({ queued: 'create' })
    await desk.offline(false)
    await desk.untilCounts(0)
    expect(await office.log()).toEqual(['create one', 'create two'])
  })
})

test('a database that is deleted while a change is on its way takes no later one with it', async ({ world }) => {
  const { broker, desk, office } = await world.desk()
  const slow = desk.ask('POST', '/api/slow', {})
  await broker.begunCalls(1)
  await desk.page.evaluate(async () => {
    for (const { name = '' } of await indexedDB.databases()) {
      await new Promise((resolve) => (indexedDB.deleteDatabase(name).onsuccess = resolve))
    }
  })
  const later = desk.create('later')
  await until('the later one', async () => (await desk.waiting()).some(({ tempId }) => tempId))
  await broker.release()
  expect(await slow).toMatchObject({ status: 200 })
  expect(await later).toMatchObject({ status: 201 })
  expect(await office.log()).toEqual(['slow', 'create later'])
})

test('a change for which there is no room is refused, and does not overtake those that wait', async ({ world }) => {
  const { desk, office } = await world.desk()
  await desk.offline()
  await desk.create('one')
  await desk.page.evaluate(() => {
    IDBObjectStore.prototype.add = () => {
      throw new DOMException('the disk is full', 'QuotaExceededError')
    }
  })
  await desk.offline(false)
  expect(await desk.create('two')).toMatchObject({ error: 'QuotaExceededError', message: 'the disk is full' })
  await desk.untilCounts(0)
  expect(await office.log()).toEqual(['create one'])
})

describe('a request', () => {
  test('has the headers of the page as they are when it is sent', async ({ world }) => {
    const { desk } = await world.desk({ headers: { 'X-Token': 'new' } })
    await desk.offline()
    const headers = { 'Content-Type': 'application/json', 'X-Token': 'old', 'X-Other': 'mine', 'Idempotency-Key': 'k' }
    await desk.ask('POST', '/api/rows', undefined, { headers, body: '{"title":"one"}' })
    const sent = desk.page.waitForRequest(/api.rows/)
    await desk.offline(false)
    expect((await sent).headers()).toMatchObject({ 'x-token': 'new', 'x-other': 'mine', 'idempotency-key': 'k' })
    await desk.untilCounts(0)
  })

  test('that is answered too late is sent again, as it was', async ({ world }) => {
    const { broker, desk, office } = await world.desk({ queue: { requestTimeout: 500 } })
    const keys: (string | undefined)[] = []
    desk.page.on('request', (request) => keys.push(request.headers()['idempotency-key']))
    expect(await desk.ask('POST', '/api/slow', {})).toMatchObject({ status: 202, queued: 'create' })
    await broker.release()
    await desk.untilCounts(0)
    expect(await office.log()).toEqual(['slow'])
    expect(keys.length).toBeGreaterThan(1)
    expect(new Set(keys).size).toBe(1)
  })
})
