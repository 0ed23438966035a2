// The client's stream, in each of the ways in which it may come: it is always the same to the page.
import { describe, expect } from 'vitest'
import { QUICK, reasons, type Live } from './support/live.js'
import type { LiveOptions } from './support/live_page.js'
import { until } from './support/wait.js'
import { test, type World } from './support/world.js'

const modes: Record<string, { options?: LiveOptions; script?: string }> = {
  'shared by tabs': {},
  'of its own': { options: { share: false } },
  'without Web Locks': { script: 'delete Navigator.prototype.locks' },
  'by EventSource': { script: 'delete window.ReadableStream' },
}

for (const [mode, { options = {}, script }] of Object.entries(modes)) {
  const scene = (world: World, ...args: string[]) => world.liveScene({ ...QUICK, ...options }, args, script)
  const begin = (live: Live, position?: string) => live.begin({ ...QUICK, ...options }, position)

  describe(`a stream ${mode}`, () => {
    test('comes back as often as it breaks, with nothing lost', async ({ world }) => {
      const { proxy, ada, grace } = await scene(world)
      await grace.write('one', 'two')
      proxy.cut('end')
      await grace.write('three')
      await ada.untilText('three')
      proxy.cut('reset')
      await grace.write('four', 'five')
      await ada.expectHeard(grace, ['one', 'two', 'three', 'four', 'five'])
      expect(await ada.told('pillar:reconnected')).toEqual([{ resumed: true }, { resumed: true }])
      expect(await ada.statuses()).toEqual(['live', 'connecting', 'live', 'connecting', 'live'])
      expect(proxy.open).toBe(1)
    })

    test('never gives up, and misses nothing', async ({ world }) => {
      const { proxy, ada, grace } = await scene(world)
      await grace.write('before')
      await ada.untilText('before')
      proxy.breakAll()
      proxy.cut()
      await grace.write('meanwhile')
      await until('forty attempts', () => proxy.broken > 40)
      expect(await ada.statuses()).toEqual(['live', 'connecting'])
      proxy.mend()
      await ada.expectHeard(grace, ['before', 'meanwhile'])
    })

    test('leaves out its own echo, and nothing else', async ({ world }) => {
      const { broker, ada, grace } = await scene(world)
      const { sessionId } = await ada.state()
      const phone = await world.live(broker)
      await ada.write('own')
      await ada.send('POST', '/api/reminders', { text: 'made on its behalf', to: ['ada'] })
      const mallory = await world.person(broker, 'mallory', sessionId)
      await mallory.write('in its name')
      await ada.expectHeard(grace, ['made on its behalf', 'in its name'])
      await phone.expectHeard(grace, ['own', 'made on its behalf', 'in its name'])
    })

    test('says resync when it was away for longer than the history', async ({ world }) => {
      const { proxy, ada, grace } = await scene(world, '--history-events', '3')
      await grace.write('heard')
      await ada.untilText('heard')
      proxy.refuse()
      proxy.cut()
      await grace.write('1', '2', '3', '4')
      await proxy.accept()
      await ada.untilResync('trimmed')
      proxy.cut()
      await ada.untilStatus('live')
      await grace.write('after')
      await ada.expectHeard(grace, ['heard', 'after'], ['trimmed'])
    })

    test('goes on where it was when the page comes anew', async ({ world }) => {
      const { proxy, ada, grace } = await scene(world)
      await grace.write('before')
      await ada.untilText('before')
      await ada.page.goto(`${proxy.origin}/away.html`)
      await grace.write('meanwhile')
      await begin(await ada.open())
      await grace.write('after')
      await ada.expectHeard(grace, ['meanwhile', 'after'])
      await begin(await ada.reload())
      await ada.expectHeard(grace, [])
      expect(reasons(await ada.log())).toEqual([])
    })

    test('begins where an answer was made', async ({ world }) => {
      const { proxy, grace } = await scene(world)
      const ada = await world.loaded(proxy, 'ada')
      await grace.write('before')
      const position = (await ada.send('GET', '/api/notes')).position ?? undefined
      await grace.write('behind the answer', 'and one more')
      await begin(ada, position)
      await ada.expectHeard(grace, ['behind the answer', 'and one more'])
      expect(reasons(await ada.log())).toEqual([])
    })

    test('has a page fetch anew when it begins anywhere, and once', async ({ world }) => {
      const { proxy, ada, grace } = await scene(world)
      proxy.cut()
      await until('the stream to be back', async () => (await ada.told('pillar:reconnected')).length)
      await grace.write('after')
      await ada.expectHeard(grace, ['after'])
      expect(reasons(await ada.log())).toEqual(['start'])
    })
  })
}
