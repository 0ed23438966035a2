// Clients that know nothing of Pillar, side by side: what the broker says is enough for each of them.
import { EventSource } from 'eventsource'
import { describe, expect, onTestFinished } from 'vitest'
import type { Broker } from './support/broker.js'
import { clients, Curl, urlOf, type At, type Listener, type Message } from './support/clients.js'
import type { Proxy } from './support/proxy.js'
import { gaveUp, type Tab } from './support/tab.js'
import { until } from './support/wait.js'
import { test, type World } from './support/world.js'

let fences = 0

async function listen(world: World, name: string, at: At): Promise<Listener> {
  const listener = await clients[name]?.(world, at)
  if (!listener) throw new Error(`there is no client ${name}`)
  onTestFinished(() => listener.close())
  return listener
}

const named = (messages: Message[], name: string): Message[] => messages.filter((one) => one.name === name)

async function untilHeard(listener: Listener, name: string, look: (message: Message) => boolean): Promise<Message> {
  return until(
    `a ${name}`,
    async () => named(await listener.messages(), name).find(look),
    async () => JSON.stringify(await listener.messages(), null, 1),
  )
}

/** The texts of the notes that it was told of, in order; all that were written before. */
async function notes(listener: Listener, by: Tab): Promise<unknown[]> {
  const fence = `client${++fences}`
  await by.insist('POST', `/api/fences/${fence}`)
  await untilHeard(listener, 'sync', ({ data }) => data['action'] === fence)
  const told = named(await listener.messages(), 'sync').filter(({ data }) => data['entity'] === 'note')
  return told.map(({ data }) => Object(data['data']).text)
}

/** Kills the broker, and has the client miss what is written meanwhile. */
async function replace(world: World, broker: Broker, proxy: Proxy, meanwhile: () => Promise<void>): Promise<void> {
  await broker.kill()
  proxy.refuse()
  proxy.cut()
  await world.successor(broker).listening()
  await meanwhile()
  await proxy.accept()
}

for (const name of Object.keys(clients)) {
  describe(name, () => {
    test('is told who it is, and where the stream starts', async ({ world }) => {
      const broker = await world.broker()
      const listener = await listen(world, name, { at: broker, broker, session: 'laptop' })
      const ready = await untilHeard(listener, 'ready', () => true)
      expect(ready.data).toEqual({ position: ready.id, heartbeatMs: 30_000, userId: 'ada' })
      expect(ready.id).not.toBe('')
    })

    test('gets what happens, but not what its own session does', async ({ world }) => {
      const broker = await world.broker()
      const listener = await listen(world, name, { at: broker, broker, session: 'laptop' })
      const [grace, laptop, phone] = await Promise.all([
        world.tab(broker, 'grace', 'desk'),
        world.tab(broker, 'ada', 'laptop'),
        world.tab(broker, 'ada', 'phone'),
      ])
      await untilHeard(listener, 'ready', () => true)
      await grace.write('by Grace')
      await laptop.write('by the session itself')
      await phone.write('by another one')
      expect(await notes(listener, grace)).toEqual(['by Grace', 'by another one'])
    })

    test('goes on behind its last id with the next broker', async ({ world }) => {
      const broker = await world.broker()
      const proxy = await world.proxy(broker)
      const listener = await listen(world, name, { at: proxy, broker, session: 'laptop' })
      const [grace, laptop] = await Promise.all([
        world.tab(broker, 'grace', 'desk'),
        world.tab(broker, 'ada', 'laptop'),
      ])
      await untilHeard(listener, 'ready', () => true)
      await grace.write('before')
      const last = await untilHeard(listener, 'sync', ({ data }) => data['entity'] === 'note')
      await replace(world, broker, proxy, async () => {
        await grace.write('meanwhile')
        await laptop.write('its own, meanwhile')
      })
      expect(await notes(listener, grace)).toEqual(['before', 'meanwhile'])
      expect(named(await listener.messages(), 'resync')).toEqual([])
      const request = proxy.streams.at(-1)?.request.toLowerCase()
      expect(request).toContain(`last-event-id: ${last.id}\r\n`)
    })
  })
}

test('all of them at once are told the same', async ({ world }) => {
  const broker = await world.broker()
  const proxy = await world.proxy(broker)
  const names = Object.keys(clients)
  const [grace, ...listeners] = await Promise.all([
    world.tab(broker, 'grace', 'desk'),
    ...names.map((name, n) => listen(world, name, { at: proxy, broker, session: `session${n}` })),
  ])
  for (const listener of listeners) await untilHeard(listener, 'ready', () => true)
  await grace.write('one', 'two')
  await replace(world, broker, proxy, () => grace.write('three'))
  await grace.write('four')
  const heard = await Promise.all(
    listeners.map(async (listener) => {
      expect(await notes(listener, grace)).toEqual(['one', 'two', 'three', 'four'])
      return named(await listener.messages(), 'sync').filter(({ data }) => data['entity'] === 'note')
    }),
  )
  for (const messages of heard) expect(messages).toEqual(heard[0])
})

describe('who is not signed in is told so at once, and for good:', () => {
  test('the EventSource of a browser', async ({ world }) => {
    const tab = await world.stranger(await world.broker(), 'laptop')
    await expect(tab.listen()).rejects.toThrow('the EventSource has given up')
    expect(gaveUp(await tab.heard())).toBe(true)
  })

  test('the npm package eventsource', async ({ world }) => {
    const source = new EventSource(urlOf({ at: await world.broker(), session: 'laptop' }))
    onTestFinished(() => source.close())
    const code = await new Promise((resolve) => source.addEventListener('error', (event) => resolve(event.code)))
    expect(code).toBe(401)
    expect(source.readyState).toBe(source.CLOSED)
  })

  test('curl', async ({ world }) => {
    const client = new Curl(urlOf({ at: await world.broker(), session: 'laptop' }), 'none=')
    expect(await client.request()).toBe(22) // of --fail, for any status above 400
    expect(client.messages).toEqual([])
  })
})
