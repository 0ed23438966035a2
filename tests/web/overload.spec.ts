// The broker has no room for a stream: it says so with 200, a time to come back and a clean end, since an EventSource
// gives up for good on anything else.
import { connect, type Socket } from 'node:net'
import { describe, expect } from 'vitest'
import type { Broker } from './support/broker.js'
import { keepAsking } from './support/busy.js'
import type { Proxy, Stream } from './support/proxy.js'
import { until } from './support/wait.js'
import { test } from './support/world.js'

const REFUSAL =
  /^HTTP\/1\.1 200 OK\r\n(.+\r\n)*Content-Type: text\/event-stream\r\n(.+\r\n)*\r\nretry: \d+\n\n: (.+)\n\n$/

/** For a handler that keeps all others waiting. */
const oneWorker = ['--workers', '1', '--handler-deadline', '60s']

/** Waits until the page has come back `count` times to be sent away, each time as the wire contract says. */
async function untilSentAway(proxy: Proxy, from: number, count: number, comment: string): Promise<void> {
  const done = (): Stream[] => proxy.streams.slice(from).filter(({ ended }) => ended !== undefined)
  await until(
    `${count} refusals`,
    () => done().length >= count,
    () => JSON.stringify(proxy.streams.slice(from)),
  )
  for (const { response, ended } of done()) {
    expect(response).toMatch(REFUSAL)
    expect(REFUSAL.exec(response)?.at(-1)).toBe(comment)
    expect(ended).toBe('end')
  }
}

describe('an EventSource that meets', () => {
  test('a broker with as many connections as it may have', async ({ world }) => {
    const { broker, proxy, ada, grace } = await world.scene('--max-connections', '16', '--header-timeout', '60s')
    await grace.write('before')
    await ada.untilText('before')
    proxy.refuse()
    proxy.cut()
    const others = await fill(broker)
    const from = proxy.streams.length
    await proxy.accept()
    await untilSentAway(proxy, from, 3, 'the server is busy')
    await grace.write('meanwhile')
    for (const socket of others) socket.destroy()
    await grace.write('after')
    await ada.expectHeard(grace, ['before', 'meanwhile', 'after'])
  })

  test('a full queue', async ({ world }) => {
    const { broker, proxy, ada, grace } = await world.scene('--queue-size', '1', ...oneWorker)
    await grace.write('before')
    await ada.untilText('before')
    proxy.refuse()
    proxy.cut()
    const running = grace.send('GET', '/api/wait/running')
    await broker.begun('running')
    const queued = grace.send('GET', '/api/wait/queued')
    await until('the queue to fill', async () => (await broker.metric('queue_depth')) === 1)
    const from = proxy.streams.length
    await proxy.accept()
    await untilSentAway(proxy, from, 3, 'the server is busy')
    await grace.write('meanwhile')
    await broker.release()
    expect([(await running).status, (await queued).status]).toEqual([204, 204])
    await grace.write('after')
    await ada.expectHeard(grace, ['before', 'meanwhile', 'after'])
  })

  test('a queue that does not move', async ({ world }) => {
    const { broker, proxy, ada, grace } = await world.scene('--queue-timeout', '1s', ...oneWorker)
    await grace.write('before')
    await ada.untilText('before')
    const running = grace.send('GET', '/api/wait/running')
    await broker.begun('running')
    const from = proxy.streams.length
    proxy.cut()
    await untilSentAway(proxy, from, 1, 'the server could not open the stream')
    await grace.write('meanwhile')
    await broker.release()
    expect((await running).status).toBe(204)
    await grace.write('after')
    await ada.expectHeard(grace, ['before', 'meanwhile', 'after'])
  })

  for (const of of ['user', 'address']) {
    test(`too many streams of its ${of}`, async ({ world }) => {
      const { broker, proxy, ada, grace } = await world.scene(`--max-streams-per-${of}`, '1')
      const phone = await world.tab(broker, 'ada', 'phone')
      await grace.write('before')
      await ada.untilText('before')
      proxy.refuse()
      proxy.cut()
      await until('the place to be free', async () => (await broker.metric('streams')) === 0)
      await phone.listen()
      const from = proxy.streams.length
      await proxy.accept()
      await untilSentAway(proxy, from, 3, `the ${of} has as many streams as one may`)
      await grace.write('meanwhile')
      await phone.stopListening()
      await grace.write('after')
      await ada.expectHeard(grace, ['before', 'meanwhile', 'after'])
    })

    test(`too many requests of its ${of}`, async ({ world }) => {
      const { broker, proxy, ada, grace } = await world.scene(`--max-requests-per-${of}`, '20')
      const eager = await world.tab(broker, 'ada', 'eager')
      await grace.write('before')
      await ada.untilText('before')
      proxy.refuse()
      proxy.cut()
      await grace.write('meanwhile')
      let over = false
      const stop = keepAsking(
        eager,
        () => eager.send('GET', '/api/notes'),
        ({ status }) => (over ||= status === 429),
      )
      await until('the limit', () => over)
      const from = proxy.streams.length
      await proxy.accept()
      await until('a refusal', () => {
        if (proxy.streams.at(-1)?.response.includes('event: ready')) proxy.cut() // it came just when it might
        return proxy.streams.slice(from).some(({ response }) => response.includes(': too many requests\n'))
      })
      await stop()
      await untilSentAway(proxy, from, 1, 'too many requests')
      await grace.write('after')
      await ada.expectHeard(grace, ['before', 'meanwhile', 'after'])
    })
  }
})

/** Opens connections until the broker has as many as it may. */
async function fill(broker: Broker): Promise<Socket[]> {
  const sockets: Socket[] = []
  for (;;) {
    const socket = connect(broker.port, '127.0.0.1')
    let answer = ''
    socket.on('data', (data) => (answer += data)).on('error', () => (answer += 'HTTP/1.1 503'))
    socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
    const [, status] = await until('an answer', () => /^HTTP\/1\.1 (\d+)/.exec(answer))
    if (status !== '200') {
      socket.destroy()
      return sockets
    }
    sockets.push(socket)
  }
}
