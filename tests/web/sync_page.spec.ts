// The client's stream and the page that has it: its handlers, its service worker, its comings and goings.
import { describe, expect } from 'vitest'
import { QUICK } from './support/live.js'
import type { LiveOptions } from './support/live_page.js'
import { until } from './support/wait.js'
import { test, type World } from './support/world.js'

describe('a page', () => {
  test('whose service worker keeps what it has fetched gets no stream of yesterday', async ({ world }) => {
    const broker = await world.broker()
    const proxy = await world.proxy(broker)
    const grace = await world.person(broker, 'grace')
    const ada = await world.loaded(proxy, 'ada')
    await ada.page.evaluate(() => navigator.serviceWorker.register('caching_worker.js').then(() => {}))
    await ada.page.waitForFunction(() => navigator.serviceWorker.controller)
    await ada.begin()
    await ada.untilStatus('live')
    await grace.write('one')
    await ada.untilText('one')
    // A stream that ends well is kept whole.
    proxy.cut('end')
    await grace.write('two')
    await ada.untilText('two')
    await ada.page.waitForFunction(async () => (await (await caches.open('api')).keys()).length > 0)
    await (await ada.reload()).begin()
    await ada.untilStatus('live')
    await grace.write('three')
    await ada.expectHeard(grace, ['three'])
  })

  test('has handlers that fail, and the others are called all the same', async ({ world }) => {
    const { proxy, ada, grace } = await world.liveScene()
    const errors: string[] = []
    ada.page.on('pageerror', ({ message }) => errors.push(message))
    await ada.page.evaluate(() => {
      const fail = () => {
        throw new Error('a handler of the page')
      }
      window.live.on('note', fail)
      for (const name of ['pillar:sync', 'pillar:status', 'pillar:reconnected'])
        window.addEventListener(name, fail, true)
      window.live.on(['fence', 'note'], ({ action }) => (document.title += ` ${action}`))
    })
    await grace.write('one')
    await ada.untilText('one')
    proxy.cut()
    await grace.write('two')
    await ada.expectHeard(grace, ['one', 'two'])
    expect(await ada.page.title()).toMatch(/ created created fence\d+$/)
    expect(errors.length).toBeGreaterThan(4)
  })

  test('takes a handler away', async ({ world }) => {
    const { ada, grace } = await world.liveScene()
    await ada.page.evaluate(() => {
      const off = window.live.on('note', ({ action }) => {
        document.title = `${document.title} ${action}`
        off()
      })
      window.live.on('nothing', () => (document.title = 'told of what it has not asked for'))
    })
    await grace.write('one', 'two')
    await ada.expectHeard(grace, ['one', 'two'])
    expect(await ada.page.title()).toMatch(/[^d] created$/)
  })

  for (const share of [true, false]) {
    test(`that connects, releases and connects has one stream (share: ${share})`, async ({ world }) => {
      const { broker, proxy, ada, grace } = await world.liveScene({ ...QUICK, share })
      await ada.page.evaluate(() => {
        window.live.release()
        window.live.connect()
        window.live.connect()
        window.live.release()
      })
      await ada.expectHeard(grace, [])
      expect(proxy.streams.length).toBe(1)

      await ada.call('release')
      await until('the end of it', async () => (await broker.metric('streams')) === 0)
      expect(await ada.state()).toMatchObject({ status: 'connecting' })
      await grace.write('meanwhile')
      await ada.call('connect')
      await ada.expectHeard(grace, ['meanwhile'])
      expect(proxy.streams.length).toBe(2)
    })
  }
})

/** Where a page may be with its stream when it is closed. */
const moments: Record<string, { options: LiveOptions; reach(world: World, options: LiveOptions): Promise<Moment> }> = {
  'that asks in vain': {
    options: {},
    async reach(world, options) {
      const { broker, proxy, ada } = await world.liveScene(options)
      proxy.hold()
      proxy.cut()
      await ada.untilStatus('connecting')
      return { broker, proxy, ada }
    },
  },
  'that is to wait': {
    options: { retryMin: 3_600_000, retryMax: 3_600_000 },
    async reach(world, options) {
      const { broker, proxy, ada } = await world.liveScene(options)
      proxy.breakAll()
      proxy.cut()
      await until('an attempt', () => proxy.broken > 0)
      proxy.mend()
      return { broker, proxy, ada }
    },
  },
  'that waits for a renewal': {
    options: { renewal: { kind: 'hang' } },
    async reach(world, options) {
      const broker = await world.broker()
      const proxy = await world.proxy(broker)
      const ada = await world.loaded(proxy)
      await ada.begin(options)
      await until('a renewal', () => ada.page.evaluate(() => window.live.refreshes > 0))
      return { broker, proxy, ada }
    },
  },
}
type Moment = Pick<Awaited<ReturnType<World['liveScene']>>, 'broker' | 'proxy' | 'ada'>

describe('a Sync that is closed', () => {
  test('while the page is asked for headers opens no EventSource when they come', async ({ world }) => {
    const broker = await world.broker()
    const ada = await world.loaded(broker, 'ada', 'delete window.ReadableStream')
    await ada.begin({ ...QUICK, slowHeaders: true })
    await ada.page.waitForFunction(() => window.live.giveHeaders)
    await ada.call('close')
    await ada.page.evaluate(() => window.live.giveHeaders?.())
    const other = await (await ada.sibling()).open()
    await other.begin()
    await other.untilStatus('live')
    expect(await broker.metric('streams_opened_total')).toBe(1)
  })

  for (const share of [true, false]) {
    test(`while it is live is closed for good (share: ${share})`, async ({ world }) => {
      const { broker, ada, grace } = await world.liveScene({ ...QUICK, share })
      await ada.call('close')
      await until('the end of the stream', async () => (await broker.metric('streams')) === 0)
      await ada.call('release')
      await ada.call('connect')
      await ada.happen('online', 'focus', 'pageshow')
      await grace.write('to nobody')
      // A tab that has begun later is live, and this one would have been before it.
      const other = await (await ada.sibling()).open()
      await other.begin({ share })
      await other.untilStatus('live')
      expect(await broker.metric('streams')).toBe(1)
      expect(await ada.texts()).toEqual([])
    })

    test(`by a handler tells no more, though it has come already (share: ${share})`, async ({ world }) => {
      const { proxy, ada, grace } = await world.liveScene({ ...QUICK, share })
      await ada.page.evaluate(() => window.live.on('note', () => window.live.close()))
      proxy.hold()
      await grace.write('one', 'two', 'three')
      proxy.release()
      await ada.untilText('one')
      expect(await ada.texts()).toEqual(['one'])
    })

    for (const [what, { options, reach }] of Object.entries(moments)) {
      test(`${what} leaves nothing behind (share: ${share})`, async ({ world }) => {
        const { broker, proxy, ada } = await reach(world, { ...QUICK, ...options, share })
        await ada.call('close')
        proxy.release()
        await ada.happen('online', 'focus')
        await ada.signIn('ada')
        await ada.page.waitForFunction(async () => (await navigator.locks.query()).held?.length === 0)
        const other = await (await ada.sibling()).open()
        await other.begin({ share })
        await other.untilStatus('live')
        await until('one stream', async () => (await broker.metric('streams')) === 1 && proxy.open === 1)
      })
    }
  }
})
