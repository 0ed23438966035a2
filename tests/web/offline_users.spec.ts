// Whose changes they are, when somebody else signs in; and what the stream and the queue tell each other.
import { describe, expect } from 'vitest'
import { until } from './support/wait.js'
import { test } from './support/world.js'

describe('somebody else who signs in', () => {
  test('is known to all tabs at once, by a word of the page', async ({ world }) => {
    const { broker, desk, office } = await world.desk({ connect: true })
    const other = await (await desk.sibling()).open(desk.origin, { connect: true })
    await Promise.all([desk.untilLive('ada'), other.untilLive('ada')])
    await desk.offline()
    await desk.create('of ada')
    await Promise.all([desk.untilCounts(1), other.untilCounts(1)])
    await broker.trouble('gateway') // what is sent stays
    await desk.offline(false)
    await desk.untilStatus('live')

    await desk.signIn('grace')
    await desk.page.evaluate(() => window.sync.reconnect())
    await Promise.all([desk.untilLive('grace'), other.untilLive('grace')])
    await broker.trouble('')
    await Promise.all([desk.untilCounts(0), other.untilCounts(0)])
    for (const tab of [desk, other]) expect(await tab.told('resync')).toContainEqual({ reason: 'user' })
    await other.create('of grace')
    await until('the change of grace', async () => (await office.log()).length)
    expect(await office.get('/api/authors')).toEqual(['grace'])

    await other.signIn('ada')
    await other.page.evaluate(() => window.sync.reconnect())
    await until('the change of ada', async () => (await office.log()).length === 2)
    expect(await office.get('/api/authors')).toEqual(['grace', 'ada'])
  })

  test('behind the back of the page makes none of its changes', async ({ world }) => {
    const { desk, office } = await world.desk({ connect: true })
    await desk.untilLive('ada')
    await desk.signIn('grace') // the stream is still ada's
    expect(await desk.create('of ada')).toMatchObject({ status: 202, queued: 'create' })
    await desk.untilLive('grace')
    await desk.untilCounts(0)
    expect(await desk.create('of grace')).toMatchObject({ status: 201 })
    expect(await office.get('/api/authors')).toEqual(['grace'])
    await desk.signIn('ada')
    await desk.page.evaluate(() => window.sync.reconnect())
    await until('the change of ada', async () => (await office.log()).length === 2)
    expect(await office.log()).toEqual(['create of grace', 'create of ada'])
  })
})

describe('changes that are kept while nobody is signed in', () => {
  test('are those of whose page it is', async ({ world }) => {
    const { desk, office } = await world.desk({ connect: true })
    await desk.untilLive('ada')
    await desk.page.context().clearCookies()
    await desk.create('first of ada')
    await desk.untilStatus('expired')
    await desk.create('second of ada')
    await desk.signIn('grace')
    await desk.wake()
    await desk.untilLive('grace')
    expect(await desk.create('of grace')).toMatchObject({ status: 201 })
    await desk.flush()
    expect(await office.log()).toEqual(['create of grace'])
    await desk.signIn('ada')
    await desk.page.evaluate(() => window.sync.reconnect())
    await until('the changes of ada', async () => (await office.log()).length === 3)
    expect(await office.get('/api/authors')).toEqual(['grace', 'ada', 'ada'])
  })

  test('are those of whoever was signed in last, where no stream has told', async ({ world }) => {
    const { broker, desk, office } = await world.desk({ connect: true })
    await desk.untilLive('ada')
    await broker.trouble('gateway')
    const other = await (await desk.sibling()).open(desk.origin) // knows nobody, and reaches nothing
    expect(await other.create('of ada')).toMatchObject({ status: 202 })
    await desk.close()
    await other.signIn('grace')
    await other.open(other.origin, { connect: true })
    await other.untilLive('grace')
    await broker.trouble('')
    await other.flush()
    await other.create('of grace')
    await until('the change of grace', async () => (await office.log()).includes('create of grace'))
    expect(await office.get('/api/authors')).toEqual(['grace'])
  })
})

describe('changes that were replayed', () => {
  test('have each tab fetch anew, once', async ({ world }) => {
    const { desk } = await world.desk({ connect: true })
    const other = await (await desk.sibling()).open(desk.origin)
    await desk.untilLive('ada')
    await desk.offline()
    for (const title of ['one', 'two', 'three']) await desk.create(title)
    await desk.offline(false)
    await Promise.all([desk.untilCounts(0), other.untilCounts(0)])
    for (const tab of [desk, other]) {
      const told = await tab.untilTold('resync', (await tab.told('resync')).length)
      expect(told.filter(({ reason }) => reason === 'replayed')).toEqual([{ reason: 'replayed' }])
    }
  })
})

describe('a server that answers a change', () => {
  test('is there for the stream too', async ({ world }) => {
    const { broker, desk } = await world.desk({ connect: true, retryMin: 3_600_000, retryMax: 3_600_000 })
    await desk.untilLive('ada')
    await broker.kill()
    await desk.untilStatus('connecting')
    await world.successor(broker).listening()
    await desk.flush()
    expect(await desk.create('again')).toMatchObject({ status: 201 })
    await desk.untilStatus('live')
  })
})
