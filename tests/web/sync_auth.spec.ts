// The client's stream and who is signed in: sign-ins end, are renewed, and change.
import { describe, expect } from 'vitest'
import { QUICK } from './support/live.js'
import type { Renewal } from './support/live_page.js'
import { until } from './support/wait.js'
import { test } from './support/world.js'

const AGAIN: Renewal = { kind: 'login', body: { user: 'ada' } }

describe('a sign-in that ends', () => {
  test('is renewed before that, and nobody notices', async ({ world }) => {
    const broker = await world.broker('--expiry-notice', '2s')
    const proxy = await world.proxy(broker)
    const grace = await world.person(broker, 'grace')
    const ada = await (await world.loaded(proxy, 'ada')).signIn('ada', 4)
    await ada.begin({ ...QUICK, renewal: AGAIN })
    await ada.untilStatus('live')
    const written: string[] = []
    await until('another stream', async () => {
      const text = `note ${written.length}`
      await grace.write(text)
      written.push(text)
      return proxy.streams.length > 1
    })
    await ada.expectHeard(grace, written)
    expect(await ada.statuses()).toEqual(['live'])
    expect(await ada.page.evaluate(() => window.live.refreshes)).toBe(1)
    expect(await broker.metric('streams')).toBe(1)
  })

  test('is not renewed over and over, if each ends as soon', async ({ world }) => {
    const broker = await world.broker('--expiry-notice', '1h')
    const grace = await world.person(broker, 'grace')
    const ada = await (await world.loaded(broker, 'ada')).signIn('ada', 3)
    await ada.begin({ retryMin: 20, retryMax: 500, renewal: { kind: 'login', body: { user: 'ada', maxAge: 3 } } })
    const from = Date.now()
    await ada.untilStatus('live')
    await grace.write('one')
    await until('another sign-in', () => ada.page.evaluate(() => window.live.refreshes > 3))
    expect(Date.now() - from).toBeGreaterThan(1000)
    await grace.write('two')
    await ada.expectHeard(grace, ['one', 'two'])
  })

  test('is told, and a new one makes the page live again', async ({ world }) => {
    const broker = await world.broker()
    const grace = await world.person(broker, 'grace')
    const ada = await (await world.loaded(broker, 'ada')).signIn('ada', 2)
    await ada.begin()
    await ada.untilStatus('live')
    await grace.write('before')
    await ada.untilStatus('expired')
    await grace.write('meanwhile')
    await ada.signIn('ada')
    await grace.write('after')
    await ada.expectHeard(grace, ['before', 'meanwhile', 'after'])
    expect((await ada.statuses()).filter((status) => status !== 'connecting')).toEqual(['live', 'expired', 'live'])
    expect(await ada.told('pillar:reconnected')).toEqual([{ resumed: true }])
  })
})

describe('nobody who is signed in', () => {
  test('is somebody after a renewal', async ({ world }) => {
    const broker = await world.broker()
    const grace = await world.person(broker, 'grace')
    const ada = await world.loaded(broker)
    await ada.begin({ ...QUICK, renewal: AGAIN })
    await ada.untilStatus('live')
    await grace.write('heard')
    await ada.expectHeard(grace, ['heard'])
    expect(await ada.statuses()).toEqual(['live'])
    expect(await ada.state()).toMatchObject({ userId: 'ada' })
    expect(await ada.page.evaluate(() => window.live.refreshes)).toBe(1)
  })

  test('is asked again, also where a renewal has failed before', async ({ world }) => {
    const broker = await world.broker()
    const ada = await world.loaded(broker)
    await ada.begin({ ...QUICK, renewal: { kind: 'throw' } })
    await ada.untilStatus('expired')
    await ada.page.evaluate((again) => void (window.live.renewal = again), AGAIN)
    await ada.untilStatus('live')
  })
})

describe('a stream that is refused', () => {
  test('by a page to sign in at is none', async ({ world }) => {
    const broker = await world.broker()
    const gateway = await world.gateway(broker)
    const grace = await world.person(broker, 'grace')
    const ada = await world.loaded(gateway, 'ada')
    gateway.reply = { status: 302, headers: { Location: '/away.html' } }
    await ada.begin()
    await ada.untilStatus('expired')
    gateway.reply = undefined
    await ada.untilStatus('live')
    await grace.write('after')
    await ada.expectHeard(grace, ['after'])
    expect(await ada.statuses()).toEqual(['expired', 'live'])
  })

  test('by a page of any other kind is sought on', async ({ world }) => {
    const broker = await world.broker()
    const gateway = await world.gateway(broker)
    const ada = await world.loaded(gateway, 'ada')
    gateway.reply = { status: 200, headers: { 'Content-Type': 'text/html' }, body: '<p>Welcome to our network' }
    await ada.begin()
    await until('some attempts', () => gateway.asked.length > 5)
    expect(await ada.statuses()).toEqual([])
    gateway.reply = undefined
    await ada.untilStatus('live')
  })

  test('is asked for again when Retry-After says', async ({ world }) => {
    const broker = await world.broker()
    const gateway = await world.gateway(broker)
    const ada = await world.loaded(gateway, 'ada')
    gateway.reply = { status: 503, headers: { 'Retry-After': '2' } }
    await ada.begin()
    await until('two attempts', () => gateway.asked.length === 2)
    gateway.reply = undefined
    await ada.untilStatus('live')
    const [first = 0, second = 0, third = 0] = gateway.asked
    expect(second - first).toBeGreaterThanOrEqual(1990)
    expect(third - second).toBeGreaterThanOrEqual(1990)
    expect(gateway.asked.length).toBe(3)
  })
})

describe('another user in the same tab', () => {
  test('is told to fetch anew', async ({ world }) => {
    const broker = await world.broker()
    const ada = await world.live(broker)
    const alan = await world.person(broker, 'alan')
    await alan.write('to ada')
    await ada.untilText('to ada')
    expect((await ada.send('POST', '/api/logout')).status).toBe(204)
    await ada.untilStatus('expired')
    await ada.signIn('grace')
    await ada.untilResync('user')
    expect(await ada.state()).toMatchObject({ userId: 'grace' })
    await alan.write('to ada again')
    await ada.expectHeard(alan, ['to ada'], ['user'])
  })
})
