// Tabs of one browser have one stream, and each hears what it is to hear.
import { describe, expect } from 'vitest'
import { QUICK, type Live } from './support/live.js'
import type { LiveOptions } from './support/live_page.js'
import { Flow } from './support/flow.js'
import { until } from './support/wait.js'
import { test } from './support/world.js'

/** Tabs beside `first`, whose streams are open. */
async function beside(first: Live, count: number, options: LiveOptions = {}): Promise<Live[]> {
  const tabs: Live[] = []
  for (let n = 0; n < count; n++) tabs.push(await (await (await first.sibling()).open()).begin(options))
  await Promise.all(tabs.map((tab) => tab.untilStatus('live')))
  return tabs
}

describe('ten tabs', () => {
  test('have one stream, and are all live', async ({ world }) => {
    const { broker, ada, grace } = await world.liveScene()
    const tabs = [ada, ...(await beside(ada, 9))]
    expect(await broker.metric('streams')).toBe(1)
    await grace.write('one', 'two')
    await Promise.all(tabs.map((tab) => tab.untilText('two')))
    const fence = await grace.fence()
    for (const tab of tabs) await tab.expectHeardUpTo(fence, ['one', 'two'])
    expect(await broker.metric('streams_opened_total')).toBe(1)
  })

  test('leave out their own echoes, and no others', async ({ world }) => {
    const { ada, grace } = await world.liveScene()
    const tabs = [ada, ...(await beside(ada, 3))]
    for (const [n, tab] of tabs.entries()) await tab.write(`of tab ${n}`)
    const mallory = await world.person(
      { origin: await ada.page.evaluate(() => origin) },
      'mallory',
      (await ada.state()).sessionId,
    )
    await mallory.write('in the name of tab 0')
    const fence = await grace.fence()
    for (const [n, tab] of tabs.entries()) {
      const others = tabs.map((_, other) => other).filter((other) => other !== n)
      await tab.expectHeardUpTo(fence, [...others.map((other) => `of tab ${other}`), 'in the name of tab 0'])
    }
  })

  test('are live two seconds after the one with the stream was closed, and lose nothing', async ({ world }) => {
    const { broker, ada, grace } = await world.liveScene()
    const tabs = await beside(ada, 9)
    const flow = new Flow(grace)
    await flow.untilWritten(50)
    for (let leader = ada; tabs.length > 5; leader = tabs.shift() ?? leader) {
      await leader.page.close()
      const from = Date.now()
      const next = flow.written.length
      await flow.untilWritten(1)
      await Promise.all(tabs.map((tab) => tab.untilText(`flow ${next}`)))
      expect(Date.now() - from).toBeLessThan(2000)
      await flow.untilWritten(20)
    }
    await flow.stop()
    const fence = await grace.fence()
    for (const tab of tabs) {
      await tab.expectHeardUpTo(fence, flow.written)
      expect((await tab.told('pillar:reconnected')).every(({ resumed }) => resumed)).toBe(true)
    }
    expect(await broker.metric('streams')).toBe(1)
  })
})

describe('tabs', () => {
  test('that come while events flow begin where their answers were made', async ({ world }) => {
    const { ada, grace } = await world.liveScene()
    const flow = new Flow(grace)
    const tabs: { tab: Live; known: string[] }[] = []
    for (let n = 0; n < 5; n++) {
      await flow.untilWritten(20)
      const tab = await (await ada.sibling()).open()
      const { position, body } = await tab.send('GET', '/api/notes')
      await flow.untilWritten(5)
      await tab.begin({}, position ?? undefined)
      tabs.push({ tab, known: body as string[] })
    }
    await flow.stop()
    const fence = await grace.fence()
    for (const { tab, known } of tabs) await tab.expectHeardUpTo(fence, flow.written.slice(known.length))
    await ada.expectHeardUpTo(fence, flow.written)
  })

  test('that were away for longer than the others remember are told to fetch anew', async ({ world }) => {
    const { ada, grace } = await world.liveScene()
    const tab = await (await ada.sibling()).open()
    const { position } = await tab.send('GET', '/api/notes')
    const all = Array.from({ length: 1100 }, (_, n) => `note ${n}`)
    await Promise.all([0, 1, 2, 3].map((part) => grace.write(...all.filter((_, n) => n % 4 === part))))
    await ada.until('all of it', (log) => log.filter(({ name }) => name === 'pillar:sync').length === all.length)
    await tab.begin({}, position ?? undefined)
    await tab.untilResync('gap')
    await grace.write('after')
    await tab.expectHeard(grace, ['after'], ['gap'])
  })

  test('that come before there is a stream are told what is not known of the time before it', async ({ world }) => {
    const broker = await world.broker()
    const gateway = await world.gateway(broker)
    const grace = await world.person(broker, 'grace')
    const first = await world.loaded(gateway, 'ada')
    gateway.reply = { status: 503 }
    await first.begin()
    await until('an attempt', () => gateway.asked.length > 0)
    const second = await (await first.sibling()).open()
    const { position } = await second.send('GET', '/api/notes')
    await second.begin({}, position ?? undefined)
    await grace.write('one')
    gateway.reply = undefined
    await second.untilResync('gap')
    await grace.write('two')
    await second.expectHeard(grace, ['two'], ['gap'])
  })

  test('of other scopes, or that want other entities, have streams of their own', async ({ world }) => {
    const { broker, ada, grace } = await world.liveScene()
    const [scoped, narrow, same] = await Promise.all([
      beside(ada, 1, { scope: 'another' }),
      beside(ada, 1, { entities: ['fence'] }),
      beside(ada, 1),
    ])
    expect(await broker.metric('streams')).toBe(3)
    await grace.write('one')
    const fence = await grace.fence()
    for (const tab of [ada, ...scoped, ...same]) await tab.expectHeardUpTo(fence, ['one'])
    for (const tab of narrow) await tab.expectHeardUpTo(fence, [])
  })

  test('are all told when somebody else has signed in', async ({ world }) => {
    const { broker, ada } = await world.liveScene()
    const tabs = [ada, ...(await beside(ada, 3))]
    expect((await ada.send('POST', '/api/logout')).status).toBe(204)
    await Promise.all(tabs.map((tab) => tab.untilStatus('expired')))
    await tabs[2]?.signIn('grace')
    await Promise.all(tabs.map((tab) => tab.untilResync('user')))
    const alan = await world.person(broker, 'alan')
    await alan.write('to ada')
    const fence = await alan.fence()
    for (const tab of tabs) {
      await tab.expectHeardUpTo(fence, [], ['user'])
      expect(await tab.state()).toMatchObject({ userId: 'grace' })
    }
    expect(await broker.metric('streams')).toBe(1)
  })

  test('do not tell another user what they remember', async ({ world }) => {
    const { ada, grace } = await world.liveScene()
    const other = (await beside(ada, 1))[0] ?? ada
    await grace.write('heard by both')
    await other.untilText('heard by both')
    await other.page.goto(new URL('/away.html', other.page.url()).href)
    await grace.write('to ada alone')
    await ada.untilText('to ada alone')
    expect((await ada.send('POST', '/api/logout')).status).toBe(204)
    await ada.untilStatus('expired')
    await ada.signIn('alan')
    await ada.untilResync('user')
    await other.open()
    await other.begin()
    await other.expectHeard(grace, [], ['gap'])
    expect(await other.state()).toMatchObject({ userId: 'alan' })
  })

  test('that share nothing have a stream each', async ({ world }) => {
    const { broker, ada, grace } = await world.liveScene({ ...QUICK, share: false })
    const tabs = [ada, ...(await beside(ada, 2, { share: false }))]
    await until('three streams', async () => (await broker.metric('streams')) === 3)
    await ada.write('of ada')
    const fence = await grace.fence()
    for (const tab of tabs) await tab.expectHeardUpTo(fence, tab === ada ? [] : ['of ada'])
  })
})
