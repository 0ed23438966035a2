// The client's stream, when the network or the broker fails in ways that only a clock can tell, or a browser.
import { describe, expect } from 'vitest'
import { CLEAN, type Broker } from './support/broker.js'
import { QUICK, type Live } from './support/live.js'
import { random } from './support/random.js'
import { until } from './support/wait.js'
import { test, type World } from './support/world.js'

/** A pause that no test waits for: only what ends it lets the stream come back. */
const FOR_EVER = { retryMin: 3_600_000, retryMax: 3_600_000 }

const wakes: Record<string, (ada: Live) => Promise<void>> = {
  'a network comes': (ada) => ada.happen('online'),
  'it gets the focus': (ada) => ada.happen('focus'),
  'it is seen again': (ada) => ada.page.evaluate(() => void document.dispatchEvent(new Event('visibilitychange'))),
  'connect is called once more': (ada) => ada.call('connect'),
}

describe('a page', () => {
  test('knows when its browser is offline, and is back at once', async ({ world }) => {
    const { ada, grace } = await world.liveScene(FOR_EVER)
    await grace.write('before')
    await ada.untilText('before')
    await ada.page.context().setOffline(true)
    await ada.untilStatus('offline')
    await grace.write('meanwhile')
    await ada.page.context().setOffline(false)
    await grace.write('after')
    await ada.expectHeard(grace, ['before', 'meanwhile', 'after'])
    expect(await ada.statuses()).toEqual(['live', 'offline', 'connecting', 'live'])
    expect(await ada.told('pillar:reconnected')).toEqual([{ resumed: true }])
  })

  for (const [what, wake] of Object.entries(wakes)) {
    test(`tries at once when ${what}`, async ({ world }) => {
      const { proxy, ada, grace } = await world.liveScene(FOR_EVER)
      proxy.breakAll()
      proxy.cut()
      await until('an attempt', () => proxy.broken > 0)
      await ada.untilStatus('connecting')
      proxy.mend()
      await grace.write('meanwhile')
      // The attempt that was broken may not have come to its end yet.
      await until('the page', async () => {
        await wake(ada)
        return (await ada.state()).status === 'live'
      })
      await ada.expectHeard(grace, ['meanwhile'])
    })
  }

  test('takes a stream for dead that is silent for two heartbeats', async ({ world }) => {
    const { proxy, ada, grace } = await world.liveScene({ ...QUICK, readyTimeout: 300 }, ['--heartbeat', '2s'])
    await grace.write('before')
    await ada.untilText('before')
    proxy.hold()
    const from = Date.now()
    await grace.write('meanwhile')
    await ada.untilStatus('connecting')
    expect(Date.now() - from).toBeGreaterThan(3000)
    expect(Date.now() - from).toBeLessThan(6000)
    proxy.cut()
    proxy.release()
    await ada.expectHeard(grace, ['before', 'meanwhile'])
  })

  test('is not stopped by an event that is as large as the broker may be told to pass', async ({ world }) => {
    const limits = ['--max-event-bytes', '64MiB', '--max-events-bytes', '64MiB', '--max-body-bytes', '16MiB']
    const { proxy, ada, grace } = await world.liveScene(QUICK, limits)
    const large = 'x'.repeat(5_000_000)
    await grace.write(large, 'behind it')
    await ada.expectHeard(grace, [large, 'behind it'])
    expect(proxy.streams).toHaveLength(1)
  })

  test('hears by heartbeats alone that its stream lives', async ({ world }) => {
    const { proxy, ada, grace } = await world.liveScene(QUICK, ['--heartbeat', '2s'])
    const beats = () => proxy.streams[0]?.response.match(/^:/gm)?.length ?? 0
    await until('more than three of them', () => beats() > 3)
    await ada.expectHeard(grace, [])
    expect(await ada.statuses()).toEqual(['live'])
    expect(proxy.streams.length).toBe(1)
  })

  test('is not live behind a proxy that buffers, and is when it ceases to', async ({ world }) => {
    const broker = await world.broker()
    const gateway = await world.gateway(broker)
    const grace = await world.person(broker, 'grace')
    const ada = await world.loaded(gateway, 'ada')
    gateway.buffering = true
    await ada.begin({ ...QUICK, readyTimeout: 200 })
    await until('three attempts', () => gateway.asked.length > 3)
    expect(await ada.statuses()).toEqual([])
    gateway.buffering = false
    await ada.untilStatus('live')
    await grace.write('after')
    await ada.expectHeard(grace, ['after'])
  })
})

test('a stream that ends as soon as it is open is asked for ever less often, whatever it says', async ({ world }) => {
  const gateway = await world.gateway(await world.broker())
  const ada = await world.loaded(gateway, 'ada', 'Math.random = () => 0.999')
  const headers = { 'Content-Type': 'text/event-stream' }
  gateway.reply = { status: 200, headers, body: 'retry: 0\nevent: ready\ndata: {}\n\n' }
  await ada.begin({ retryMin: 100, retryMax: 10_000 })
  await until('five attempts', () => gateway.asked.length >= 5)
  const [, second = 0, , , fifth = 0] = gateway.asked
  expect(fifth - second).toBeGreaterThan(1000) // 200, 400, 800
})

/** What becomes of a broker, and who takes its place. */
const replacements: Record<string, (world: World, broker: Broker) => Promise<unknown>> = {
  async killed(world, broker) {
    await broker.kill()
    return world.successor(broker).listening()
  },
  async drained(world, broker) {
    await broker.drain()
    expect(await broker.ended()).toEqual(CLEAN)
    return world.successor(broker).listening()
  },
}

describe('a page whose broker', () => {
  for (const [what, replace] of Object.entries(replacements)) {
    test(`is ${what} goes on with the next one`, async ({ world }) => {
      const broker = await world.broker()
      const ada = await world.live(broker)
      const grace = await world.person(broker, 'grace')
      await grace.write('one', 'two')
      await replace(world, broker)
      await grace.write('three')
      await ada.expectHeard(grace, ['one', 'two', 'three'])
      expect(await ada.told('pillar:reconnected')).toEqual([{ resumed: true }])
    })
  }

  test('begins a new history is told to fetch anew, once', async ({ world }) => {
    const broker = await world.broker()
    const ada = await world.live(broker)
    const grace = await world.person(broker, 'grace')
    await grace.write('one')
    await ada.untilText('one')
    await broker.kill()
    const next = await world.successor(broker, { args: ['--new-history'] }).listening()
    await ada.untilResync('generation')
    await next.kill()
    await world.successor(next, { args: [] }).listening()
    await grace.write('two')
    await ada.expectHeard(grace, ['one', 'two'], ['generation'])
  })
})

describe('a page in a storm', () => {
  for (const share of [true, false]) {
    test(`has one stream, and hears all (share: ${share})`, async ({ world }) => {
      const { broker, proxy, ada, grace } = await world.liveScene({ ...QUICK, share })
      const pick = random(share ? 1 : 2)
      const steps = [
        () => ada.happen('online', 'focus', 'online'),
        () => ada.happen('offline'),
        () => ada.happen('offline', 'online', 'focus'),
        () => ada.page.evaluate(() => void document.dispatchEvent(new Event('visibilitychange'))),
        () => ada.page.evaluate(() => void (window.live.release(), window.live.connect())),
        async () => {
          await ada.call('release')
          await ada.call('connect')
        },
        async () => proxy.cut('end'),
        async () => proxy.cut('reset'),
        async () => proxy.breakAll(),
        async () => proxy.mend(),
      ]
      const written: string[] = []
      for (let round = 0; round < 40; round++) {
        for (let n = 0; n < 12; n++) await steps[pick(steps.length)]?.()
        const text = `round ${round}`
        await grace.write(text)
        written.push(text)
        proxy.mend()
        await ada.untilText(text)
        await until('one stream', async () => (await broker.metric('streams')) === 1 && proxy.open === 1)
      }
      await ada.expectHeard(grace, written)
      expect(await broker.metric('streams')).toBe(1)
      expect(proxy.open).toBe(1)
    })
  }
})
