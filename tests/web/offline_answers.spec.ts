// What the answers to changes mean that were made without a network.
import { describe, expect } from 'vitest'
import type { Desk } from './support/desk.js'
import { idOf, type PageOptions, type Reply } from './support/offline_page.js'
import { until } from './support/wait.js'
import { type DeskScene, test, type World } from './support/world.js'

/** One change waits, whose creation will be answered by this trouble. */
async function troubled(world: World, trouble: string, options?: PageOptions): Promise<DeskScene> {
  const scene = await world.desk(options)
  await scene.desk.offline()
  await scene.desk.create('one')
  await scene.broker.trouble(trouble)
  await scene.desk.offline(false)
  return scene
}

async function expectMade({ desk, office }: DeskScene, ...titles: string[]): Promise<void> {
  await desk.untilCounts(0)
  expect(await office.log()).toEqual(titles.map((title) => `create ${title}`))
}

describe('nobody is signed in', () => {
  for (const trouble of ['login page', 'forbidden page', 'redirect']) {
    test(`so the queue is kept, and sent when somebody is (${trouble})`, async ({ world }) => {
      const scene = await troubled(world, trouble)
      const { broker, desk } = scene
      await desk.untilTold('status', 1)
      await until('the status', async () => (await desk.told('status')).some(({ status }) => status === 'expired'))
      const calls = (await broker.calls()).length
      expect(await desk.create('two')).toMatchObject({ status: 202, queued: 'create' })
      expect(await desk.counts()).toEqual({ length: 2, failed: 0 })
      await until('an attempt for what is new', async () => (await broker.calls()).length === calls + 1)
      await broker.trouble('')
      await desk.wake()
      await expectMade(scene, 'one', 'two')
      expect(await desk.told('failure')).toEqual([])
    })
  }

  test('and refresh mends it (401)', async ({ world }) => {
    const scene = await world.desk({ refreshAs: 'ada' })
    const { desk } = scene
    await desk.offline()
    await desk.create('one')
    await desk.page.context().clearCookies()
    await desk.offline(false)
    await expectMade(scene, 'one')
    expect((await desk.told('status')).filter(({ status }) => status === 'expired')).toEqual([])
  })

  test('and a later sign-in does (401)', async ({ world }) => {
    const scene = await world.desk()
    const { desk } = scene
    await desk.page.context().clearCookies()
    expect(await desk.create('one')).toMatchObject({ status: 202, queued: 'create' })
    await desk.signIn('ada')
    expect(await desk.create('two')).toMatchObject({ status: 201 })
    await expectMade(scene, 'one', 'two')
  })
})

describe('a page that never answers', () => {
  for (const [silent, limits] of [
    ['headers', { queue: { requestTimeout: 200 } }],
    ['refresh', { readyTimeout: 200 }],
  ] as const) {
    test(`when it is asked for ${silent} does not stop the other tabs`, async ({ world }) => {
      const { desk, office } = await world.desk({ silent, ...limits })
      await desk.page.context().clearCookies()
      expect(await desk.create('one')).toMatchObject({ status: 202 })
      const other = await desk.sibling()
      await other.open(desk.origin)
      await other.signIn('ada')
      await other.flush()
      await other.untilCounts(0)
      expect(await office.log()).toEqual(['create one'])
    })
  }
})

describe('a change that is refused', () => {
  test('is told, with its entry and its answer, kept over a reload, dismissed', async ({ world }) => {
    const { desk, office } = await world.desk()
    await desk.offline()
    await desk.ask('PATCH', '/api/rows/none', { title: 'lost' })
    await desk.create('after')
    await desk.offline(false)
    await desk.untilCounts(0, 1)
    const [failure] = await desk.untilTold('failure')
    expect(failure).toMatchObject({ reason: 'refused', entry: { method: 'PATCH', body: '{"title":"lost"}' } })
    expect(failure?.response).toMatchObject({ status: 404, body: expect.stringContaining('no such row') })
    expect(await office.log()).toEqual(['create after'])
    await desk.reload()
    await desk.untilCounts(0, 1)
    expect(await desk.failures()).toEqual([failure])
    await desk.page.evaluate((seq) => window.sync.queue.dismiss(seq), failure?.entry.seq ?? 0)
    await desk.untilCounts(0, 0)
  })

  test('may be put back', async ({ world }) => {
    const scene = await troubled(world, 'forbidden')
    const { broker, desk } = scene
    await desk.untilCounts(0, 1)
    expect(await desk.reasons()).toEqual(['refused'])
    await broker.trouble('')
    await desk.page.evaluate(async () => {
      const [failure] = await window.failures()
      await window.sync.queue.retry(failure?.entry.seq ?? 0)
    })
    await expectMade(scene, 'one')
    expect(await desk.told('replayed')).toHaveLength(1)
  })

  test('takes those that depend on it with it', async ({ world }) => {
    const { broker, desk, office } = await world.desk()
    await desk.offline()
    const id = idOf(await desk.create('parent'))
    await desk.ask('PATCH', `/api/rows/${id}`, { note: 'x' })
    await desk.create('child', { parent: id })
    await broker.trouble('forbidden')
    await desk.offline(false)
    await desk.untilCounts(0, 3)
    expect(await desk.reasons()).toEqual(['refused', 'depends', 'depends'])
    expect(await broker.calls()).toEqual(['POST /api/rows'])
    await broker.trouble('')
    for (const _ of [1, 2, 3]) {
      await desk.page.evaluate(async () => {
        const [failure] = await window.failures()
        await window.sync.queue.retry(failure?.entry.seq ?? 0)
      })
    }
    await desk.untilCounts(0, 0)
    expect(await office.log()).toEqual(['create parent', 'patch parent', 'create child'])
  })
})

describe('a server in trouble', () => {
  for (const trouble of ['gateway', 'slow down']) {
    test(`is asked again (${trouble})`, async ({ world }) => {
      const scene = await troubled(world, trouble)
      await until('the second attempt', async () => (await scene.broker.calls()).length >= 2)
      await scene.broker.trouble('')
      await expectMade(scene, 'one')
      expect(await scene.desk.told('failure')).toEqual([])
    })
  }

  test('is left alone for as long as it says', async ({ world }) => {
    const { broker, desk } = await troubled(world, 'slow down')
    await until('the first attempt', async () => (await broker.calls()).length === 1)
    const at = Date.now()
    await desk.wake()
    await until('the second attempt', async () => (await broker.calls()).length === 2)
    expect(Date.now() - at).toBeGreaterThan(700)
  })

  test('is asked once for all that calls for it at a time', async ({ world }) => {
    const { broker, desk } = await world.desk()
    await desk.page.evaluate(() => void (Math.random = () => 0.999)) // no jitter
    await broker.trouble('gateway')
    await desk.create('one')
    await desk.page.evaluate(async () => {
      for (let n = 0; n < 5; n++) dispatchEvent(new Event('focus'))
      await window.sync.queue.flush()
    })
    expect(await broker.calls()).toHaveLength(2)
  })

  for (const lockless of [false, true]) {
    test(`refuses a change whose caller waits${lockless ? ', without Web Locks' : ''}`, async ({ world }) => {
      const { desk } = await world.desk({ lockless })
      expect(await desk.ask('PATCH', '/api/rows/none', { title: 'x' })).toMatchObject({ status: 404 })
      await desk.offline()
      await desk.create('fence')
      await desk.offline(false)
      await desk.untilTold('replayed')
      expect(await desk.told('failure')).toEqual([])
      expect(await desk.failures()).toEqual([])
    })
  }

  test('answers a caller that waits as it does', async ({ world }) => {
    const { broker, desk } = await world.desk()
    await broker.trouble('broken')
    expect(await desk.create('one')).toMatchObject({ status: 500 })
    expect(await desk.counts()).toEqual({ length: 0, failed: 0 })
    expect(await desk.told('failure')).toEqual([])
  })

  test('has a change that always fails stand aside in the end', async ({ world }) => {
    const { broker, desk, office } = await world.desk({ queue: { maxAttempts: 3 } })
    await desk.offline()
    await desk.create('poison')
    await desk.create('after')
    await desk.offline(false)
    await desk.untilCounts(0, 1)
    expect(await desk.reasons()).toEqual(['failing'])
    expect(await broker.calls()).toHaveLength(4)
    expect(await office.log()).toEqual(['create after'])
  })

  test('may have made a change, and not say what came of it', async ({ world }) => {
    const { desk, office } = await world.desk()
    await desk.offline()
    await desk.ask('POST', '/api/halves')
    await desk.create('after')
    await desk.offline(false)
    await desk.untilCounts(0, 0)
    expect(await desk.told('resync')).toEqual([{ reason: 'unknown-answer' }, { reason: 'replayed' }])
    expect(await office.log()).toEqual(['half', 'create after'])
  })
})

describe('a limit', () => {
  async function expectRefused(reply: Promise<Reply>, desk: Desk, name: string, length: number): Promise<void> {
    expect(await reply).toMatchObject({ error: 'QuotaExceededError', message: expect.stringContaining(name) })
    await desk.untilCounts(length)
  }

  test('of entries', async ({ world }) => {
    const { desk } = await world.desk({ queue: { maxEntries: 2 } })
    await desk.offline()
    await desk.create('one')
    await desk.create('two')
    await expectRefused(desk.create('three'), desk, 'maxEntries, 2', 2)
  })

  test('of bytes', async ({ world }) => {
    const { desk, office } = await world.desk({ queue: { maxBodyBytes: 50 } })
    await desk.offline()
    await expectRefused(desk.create('x'.repeat(50)), desk, 'maxBodyBytes, 50', 0)
    await desk.create('one')
    await desk.offline(false)
    await desk.untilCounts(0)
    expect(await office.log()).toEqual(['create one'])
  })

  test('of time, after which a change may have been made', async ({ world }) => {
    const { broker, desk } = await world.desk({ queue: { keyAge: 0 } })
    await broker.trouble('gateway')
    expect(await desk.create('one')).toMatchObject({ queued: 'create' })
    await desk.untilCounts(0, 1)
    expect(await desk.reasons()).toEqual(['uncertain'])
    expect(await broker.calls()).toHaveLength(1)
  })
})
