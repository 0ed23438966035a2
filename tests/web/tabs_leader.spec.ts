// The tab that has the stream for all fails them, in each way in which a tab may.
import { describe, expect } from 'vitest'
import { Flow } from './support/flow.js'
import { QUICK, type Live } from './support/live.js'
import { until } from './support/wait.js'
import { test, type LiveScene, type World } from './support/world.js'

interface Scene extends LiveScene {
  /** Tabs beside Ada's first one, which has the stream. */
  others: Live[]
}

async function scene(world: World): Promise<Scene> {
  const all = await world.liveScene()
  const others: Live[] = []
  for (let n = 0; n < 3; n++) others.push(await (await (await all.ada.sibling()).open()).begin())
  await Promise.all(others.map((tab) => tab.untilStatus('live')))
  expect(await all.broker.metric('streams')).toBe(1)
  return { ...all, others }
}

async function expectAll({ grace, broker }: Scene, tabs: Live[], texts: string[]): Promise<void> {
  const fence = await grace.fence()
  for (const tab of tabs) await tab.expectHeardUpTo(fence, texts)
  await until('one stream', async () => (await broker.metric('streams')) === 1)
}

/** Keeps a page from everything else, until there is a note that is for nobody in it. */
const UNTIL_GO_ON = `
  const request = new XMLHttpRequest()
  do {
    request.open('GET', '/api/notes', false)
    request.send()
  } while (!request.responseText.includes('go on'))`

describe('the tab with the stream', () => {
  test('crashes', async ({ world }) => {
    const all = await scene(world)
    const flow = new Flow(all.grace)
    await flow.untilWritten(20)
    const crashed = all.ada.page.waitForEvent('crash')
    await all.ada.page.goto('chrome://crash').catch(() => {})
    await crashed
    await flow.untilWritten(20)
    await flow.stop()
    await expectAll(all, all.others, flow.written)
  })

  test('goes to another page, and comes back', async ({ world }) => {
    const all = await scene(world)
    const flow = new Flow(all.grace)
    await flow.untilWritten(20)
    const known = (await all.ada.texts()).length
    await all.ada.page.goto(`${all.proxy.origin}/away.html`)
    await flow.untilWritten(20)
    await (await all.ada.open()).begin()
    await flow.untilWritten(20)
    await flow.stop()
    await expectAll(all, all.others, flow.written)
    // It goes on where it was; how far it had come when it went, only it knows.
    const { grace, ada } = all
    const fence = await grace.fence()
    await ada.until(fence, (log) => JSON.stringify(log).includes(fence))
    const texts = await ada.texts()
    expect(texts).toEqual(flow.written.slice(-texts.length))
    expect(texts.length).toBeLessThanOrEqual(flow.written.length - known)
    expect(texts.length).toBeGreaterThanOrEqual(40)
  })

  test('is frozen, and thaws', async ({ world }) => {
    const all = await scene(world)
    await all.grace.write('before')
    await Promise.all(all.others.map((tab) => tab.untilText('before')))
    // No browser freezes a page that is seen, and all pages of a test are: so it is told, and has no further turn.
    const frozen = all.ada.page.evaluate(async (untilWritten) => {
      document.dispatchEvent(new Event('freeze'))
      for (let n = 0; n < 50; n++) await null
      Function(untilWritten)()
      document.dispatchEvent(new Event('resume'))
    }, UNTIL_GO_ON)
    await all.grace.write('meanwhile')
    await Promise.all(all.others.map((tab) => tab.untilText('meanwhile')))
    await all.grace.post('/api/notes', { text: 'go on', to: ['grace'] })
    await frozen
    await all.ada.untilText('meanwhile')
    await expectAll(all, [all.ada, ...all.others], ['before', 'meanwhile'])
  })

  test('is busy for long, and another one takes its place', async ({ world }) => {
    const all = await scene(world)
    const [other] = all.others
    await all.grace.write('before')
    await Promise.all(all.others.map((tab) => tab.untilText('before')))
    const busy = all.ada.page.evaluate((untilWritten) => Function(untilWritten)(), UNTIL_GO_ON)
    await other?.happen('focus')
    await all.grace.write('meanwhile')
    await Promise.all(all.others.map((tab) => tab.untilText('meanwhile')))
    await all.grace.post('/api/notes', { text: 'go on', to: ['grace'] })
    await busy
    await all.ada.untilText('meanwhile')
    await expectAll(all, [all.ada, ...all.others], ['before', 'meanwhile'])
    // The one that took it fails too, and the first is one of the others.
    await other?.page.close()
    await all.grace.write('after')
    await expectAll(all, [all.ada, ...all.others.slice(1)], ['before', 'meanwhile', 'after'])
  })

  test('waits for a renewal that never comes, and goes', async ({ world }) => {
    const broker = await world.broker('--expiry-notice', '0')
    const grace = await world.person(broker, 'grace')
    const ada = await world.loaded(broker)
    await ada.begin({ ...QUICK, renewal: { kind: 'hang' } })
    await until('a renewal', () => ada.page.evaluate(() => window.live.refreshes > 0))
    const other = await (await ada.sibling()).open()
    await other.signIn('ada')
    await other.begin()
    await ada.call('release')
    await other.untilStatus('live')
    await grace.write('one')
    await other.expectHeard(grace, ['one'])
  })
})
