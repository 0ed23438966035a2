// The network between the page and the broker fails, at any moment and in any way.
import { describe, expect } from 'vitest'
import type { Proxy } from './support/proxy.js'
import type { Tab } from './support/tab.js'
import { until } from './support/wait.js'
import { test } from './support/world.js'

/** Takes the network away, has `act` done meanwhile, and waits until the page has noticed, and tried in vain. */
async function without(proxy: Proxy, ada: Tab, act: () => Promise<void>): Promise<void> {
  proxy.refuse()
  proxy.cut()
  await act()
  await ada.untilErrors(3)
  await proxy.accept()
}

describe('an EventSource whose connection breaks', () => {
  for (const how of ['end', 'reset'] as const) {
    test(`comes back, with nothing lost (${how})`, async ({ world }) => {
      const { proxy, ada, grace } = await world.scene()
      await grace.write('one', 'two')
      proxy.cut(how)
      await grace.write('three')
      await ada.untilText('three')
      proxy.cut(how)
      await grace.write('four', 'five')
      await ada.expectHeard(grace, ['one', 'two', 'three', 'four', 'five'])
    })
  }

  for (const loops of ['1', '2']) {
    test(`goes on trying while nobody answers (--loops ${loops})`, async ({ world }) => {
      const { proxy, ada, grace } = await world.scene('--loops', loops)
      await grace.write('before')
      await without(proxy, ada, () => grace.write('meanwhile', 'meanwhile too'))
      await grace.write('after')
      await ada.expectHeard(grace, ['before', 'meanwhile', 'meanwhile too', 'after'])
    })
  }

  test('hears no echo, and its other sessions hear all', async ({ world }) => {
    const { broker, proxy, ada, grace } = await world.scene()
    const phone = await (await world.tab(proxy, 'ada', 'phone')).listen()
    const pastProxy = await world.tab(broker, 'ada', 'laptop')
    await ada.write('own, before')
    await without(proxy, ada, async () => {
      await pastProxy.write('own, meanwhile')
      await grace.write('of grace')
      await grace.send('POST', '/api/notes', { text: 'not for ada', to: ['grace'] })
    })
    await ada.write('own, after')
    await ada.expectHeard(grace, ['of grace'])
    await phone.expectHeard(grace, ['own, before', 'own, meanwhile', 'of grace', 'own, after'])
  })

  test('resumes from the last whole event, wherever a frame breaks', async ({ world }) => {
    const { proxy, ada, grace } = await world.scene()
    const opening = proxy.streams[0]?.response.length ?? 0
    await grace.write('measured')
    await ada.untilText('measured')
    const frame = (proxy.streams[0]?.response ?? '').slice(opening)
    expect(frame).toMatch(/^id: .*\nevent: sync\ndata: .*\n\n$/)

    const texts = []
    for (const at of places(frame)) {
      const text = `broken after ${at} bytes`
      const errors = await ada.errors()
      proxy.cutAfter(at, 'end')
      await grace.write(text)
      await ada.untilErrors(errors + 1)
      await ada.untilText(text)
      texts.push(text)
    }
    await ada.expectHeard(grace, ['measured', ...texts])
  })

  test('is not put off by an opening that breaks', async ({ world }) => {
    const { proxy, ada, grace } = await world.scene()
    const response = proxy.streams[0]?.response ?? ''
    const head = response.indexOf('\r\n\r\n') + 4
    // Without TLS, Chromium takes a head that ends early for a whole one; so it is only ever reset there.
    const breaks = [
      ...[1, head - 80, head - 1, head, head + 10].map((at) => ({ at, how: 'reset' }) as const),
      ...[head, head + 4, response.length - 20, response.length - 1, response.length].map(
        (at) => ({ at, how: 'end' }) as const,
      ),
    ]
    const texts = []
    for (const { at, how } of breaks) {
      const text = `opening broken after ${at} bytes (${how})`
      const streams = proxy.streams.length
      proxy.refuse()
      proxy.cut()
      await grace.write(text)
      proxy.cutAfter(at, how)
      await proxy.accept()
      await ada.untilText(text)
      expect(proxy.streams.length).toBeGreaterThan(streams + 1)
      texts.push(text)
    }
    await ada.expectHeard(grace, texts)
  })

  test('gets what was on its way when a silent network comes back', async ({ world }) => {
    const { proxy, ada, grace } = await world.scene()
    proxy.hold()
    await grace.write('one', 'two')
    proxy.release()
    await ada.expectHeard(grace, ['one', 'two'])
    expect(await ada.errors()).toBe(0)
  })

  test('gets what was on its way when a silent network breaks', async ({ world }) => {
    const { proxy, ada, grace } = await world.scene()
    await grace.write('one')
    await ada.untilText('one')
    proxy.hold()
    await grace.write('two', 'three')
    proxy.cut()
    proxy.release()
    await grace.write('four')
    await ada.expectHeard(grace, ['one', 'two', 'three', 'four'])
  })

  test('comes back when half of its request took too long', async ({ world }) => {
    const { proxy, ada, grace } = await world.scene('--header-timeout', '1s')
    await grace.write('before')
    await ada.untilText('before')
    proxy.loseRequestsAfter(80)
    const half = proxy.streams.length
    proxy.cut()
    await grace.write('meanwhile')
    await until('the timeout', () => proxy.streams[half]?.ended)
    expect(proxy.streams[half]).toMatchObject({ response: '', ended: 'end' })
    proxy.loseRequestsAfter(Infinity)
    await ada.expectHeard(grace, ['before', 'meanwhile'])
  })

  test('is told to refetch when it was away for longer than the history', async ({ world }) => {
    const { proxy, ada, grace } = await world.scene('--history-events', '3')
    await grace.write('heard')
    await ada.untilText('heard')
    await without(proxy, ada, () => grace.write('1', '2', '3', '4'))
    await ada.until('resync', (heard) => heard.some(({ name }) => name === 'resync'))
    proxy.cut()
    await grace.write('after')
    await ada.expectHeard(grace, ['heard', 'after'], ['trimmed'])
  })
})

/** Every seventh place in a frame, and those around its line ends. */
function places(frame: string): number[] {
  const all = Array.from({ length: frame.length }, (_, at) => at + 1)
  return all.filter((at) => at % 7 === 0 || frame.slice(at - 2, at + 2).includes('\n'))
}
