// Pages that a browser keeps for when somebody goes back to them: they have no stream meanwhile.
import { describe, expect } from 'vitest'
import { QUICK, type Live } from './support/live.js'
import { until } from './support/wait.js'
import { test as base, withPageCache, type World } from './support/world.js'

const test = base.extend<{ world: World }>({ world: ({}, use) => withPageCache(use) })

/** It is shown at once; there is no loading to be waited for. */
async function goBack(tab: Live): Promise<void> {
  await tab.page.goBack({ waitUntil: 'commit' })
  await tab.page.waitForFunction(() => location.pathname === '/sync.html' && window.live.log.length > 0)
}

describe('a page in the back/forward cache', () => {
  for (const share of [true, false]) {
    test(`has no stream, and goes on when it is shown (share: ${share})`, async ({ world }) => {
      const { broker, proxy, ada, grace } = await world.liveScene({ ...QUICK, share })
      await grace.write('before')
      await ada.untilText('before')
      for (const text of ['once', 'twice']) {
        await ada.page.goto(`${proxy.origin}/away.html`)
        await until('the end of the stream', async () => (await broker.metric('streams')) === 0)
        await grace.write(text)
        await goBack(ada)
        await ada.untilText(text)
      }
      await ada.expectHeard(grace, ['before', 'once', 'twice'])
      expect(await ada.statuses()).toEqual(['live', 'connecting', 'live', 'connecting', 'live'])
      expect(await broker.metric('streams')).toBe(1)
    })
  }

  test('has left the stream to the other tabs', async ({ world }) => {
    const { broker, proxy, ada, grace } = await world.liveScene()
    const other = await (await ada.sibling()).open()
    await (await other.begin()).untilStatus('live')
    await ada.page.goto(`${proxy.origin}/away.html`)
    await grace.write('one')
    await other.untilText('one')
    await goBack(ada)
    await ada.untilText('one')
    await other.page.close()
    await grace.write('two')
    await ada.expectHeard(grace, ['one', 'two'])
    expect(await broker.metric('streams')).toBe(1)
  })
})
