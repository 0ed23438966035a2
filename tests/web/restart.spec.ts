// The broker dies, and another one is started on its port and its database.
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { CLEAN, type Broker, type BrokerOptions } from './support/broker.js'
import { Writer } from './support/busy.js'
import { gaveUp } from './support/tab.js'
import { test, type World } from './support/world.js'

/** What makes the history of the next broker another one; returns its options. */
const newHistories: Record<string, (before: Broker) => Promise<Partial<BrokerOptions>>> = {
  'has another database': async ({ options }) => ({ dir: await mkdtemp(join(options.dir, 'other-')) }),
  'begins a new history': async () => ({ args: ['--new-history'] }),
}

/** Ends a broker and puts the next one in its place. */
const replacements: Record<string, (world: World, broker: Broker) => Promise<Broker>> = {
  async killed(world, broker) {
    await broker.kill()
    return world.successor(broker).listening()
  },
  async drained(world, broker) {
    await broker.drain()
    const next = world.successor(broker)
    expect(await broker.ended()).toEqual(CLEAN)
    return next.listening()
  },
}

describe('an EventSource whose broker is killed', () => {
  for (const loops of ['1', '2']) {
    test(`goes on with the next one (--loops ${loops})`, async ({ world }) => {
      const broker = await world.broker('--loops', loops)
      const { ada, grace } = await world.people(broker)
      await grace.write('one', 'two')
      await broker.kill()
      await ada.untilErrors(3)
      await expect(grace.write('to nobody')).rejects.toThrow('Failed to fetch')
      await world.successor(broker).listening()
      await grace.write('three', 'four')
      await ada.expectHeard(grace, ['one', 'two', 'three', 'four'])
    })
  }

  test('gets what the dead one could no longer send, and what it missed of the next', async ({ world }) => {
    const { broker, proxy, ada, grace } = await world.scene()
    const own = await world.tab(broker, 'ada', 'laptop')
    const unsent = Array.from({ length: 10 }, (_, n) => `unsent ${n}`)
    await grace.write('heard')
    await ada.untilText('heard')
    proxy.hold()
    await grace.write(...unsent)
    await own.write('own, before')
    await broker.kill()
    proxy.refuse()
    proxy.cut()
    proxy.release()
    await world.successor(broker).listening()
    await grace.write('of the next')
    await own.write('own, after')
    await proxy.accept()
    await ada.expectHeard(grace, ['heard', ...unsent, 'of the next'])
  })

  for (const [what, begin] of Object.entries(newHistories)) {
    test(`is told to refetch, once, when the next one ${what}`, async ({ world }) => {
      const broker = await world.broker()
      const { ada, grace } = await world.people(broker)
      await grace.write('one')
      await ada.untilText('one')
      await broker.kill()
      const next = await world.successor(broker, await begin(broker)).listening()
      await ada.until('resync', (heard) => heard.some(({ name }) => name === 'resync'))
      await next.kill()
      await world.successor(next, { args: [] }).listening()
      await grace.write('two')
      await ada.expectHeard(grace, ['one', 'two'], ['generation'])
    })
  }

  test('gives up only when it is not signed in any more', async ({ world }) => {
    const broker = await world.broker()
    const { ada } = await world.people(broker)
    await broker.kill()
    await world.successor(broker, { secret: 'another secret with which nothing was signed' }).listening()
    await ada.until('the end', gaveUp)
  })
})

describe('an EventSource whose brokers', () => {
  for (const [what, replace] of Object.entries(replacements)) {
    test(`are ${what} one after the other hears all, once`, async ({ world }) => {
      let broker = await world.broker('--loops', '2', '--drain-window', '300ms')
      const { ada, grace } = await world.people(broker)
      const phone = await (await world.tab(broker, 'ada', 'phone')).listen()
      const writer = new Writer(grace)
      for (let life = 0; life < 4; life++) {
        await writer.untilWritten(20)
        broker = await replace(world, broker)
      }
      await writer.untilWritten(20)
      await writer.stop()
      const { body } = await grace.send('GET', '/api/notes')
      expect(body).toEqual(writer.texts)
      await ada.expectHeard(grace, writer.texts)
      await phone.expectHeard(grace, writer.texts)
    })
  }
})
