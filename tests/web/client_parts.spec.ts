// The parts of the client that need no browser.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { coalesce } from '../../src/client/src/coalesce.js'
import { compare } from '../../src/client/src/position.js'
import { createRecent } from '../../src/client/src/recent.js'
import { retryAfter, type Message } from '../../src/client/src/stream.js'
import { backoff, createPause, createWatchdog } from '../../src/client/src/timer.js'

describe('positions', () => {
  test.each([
    ['g-7', 'g-7', 0],
    ['g-7', 'g-8', -1],
    ['g-10', 'g-9', 1],
    ['9', '10', -9],
    ['a-b-3', 'a-b-2', 1],
    ['word', 'word', 0],
  ])('%s and %s are of one history', (a, b, order) => {
    expect(Math.sign(compare(a, b))).toBe(Math.sign(order))
  })

  test.each([
    ['g-7', 'h-8'],
    ['7', 'g-8'],
    ['g-', 'g-8'],
    ['', '1'],
    ['word', 'other'],
    ['g-x', 'g-1'],
  ])('%s and %s are not', (a, b) => {
    expect(compare(a, b)).toBeNaN()
    expect(compare(b, a)).toBeNaN()
  })
})

const sync = (number: number, data = '{}'): Message => ({ name: 'sync', id: `g-${number}`, data })

describe('what a tab has heard lately', () => {
  test('is told from any place that is known', () => {
    const recent = createRecent('g-10')
    for (const number of [12, 13, 20]) recent.add(sync(number))
    expect(recent.head()).toBe('g-20')
    expect(recent.since('g-10')?.map(({ id }) => id)).toEqual(['g-12', 'g-13', 'g-20'])
    expect(recent.since('g-12')?.map(({ id }) => id)).toEqual(['g-13', 'g-20'])
    expect(recent.since('g-15')?.map(({ id }) => id)).toEqual(['g-20'])
    expect(recent.since('g-20')).toEqual([])
    expect(recent.since('g-21')).toEqual([])
  })

  test('is not told from before it, from another history, or when nothing is known', () => {
    const recent = createRecent('g-10')
    recent.add(sync(11))
    expect(recent.since('g-9')).toBeUndefined()
    expect(recent.since('h-10')).toBeUndefined()
    expect(createRecent(undefined).since('g-10')).toBeUndefined()
  })

  test('begins anew with a resync', () => {
    const recent = createRecent('g-10')
    recent.add(sync(11))
    recent.add({ name: 'resync', id: 'h-3', data: '{}' })
    expect(recent.head()).toBe('h-3')
    expect(recent.since('g-11')).toBeUndefined()
    expect(recent.since('h-3')).toEqual([])
  })

  test('is bounded in number, and says so', () => {
    const recent = createRecent('g-0')
    for (let number = 1; number <= 1001; number++) recent.add(sync(number))
    expect(recent.since('g-0')).toBeUndefined()
    expect(recent.since('g-1')?.length).toBe(1000)
  })

  test('is bounded in size, and forgets what is too large at once', () => {
    const recent = createRecent('g-0')
    const half = 'x'.repeat(500_000)
    for (const number of [1, 2]) recent.add(sync(number, half))
    expect(recent.since('g-0')?.length).toBe(2)
    recent.add(sync(3, half))
    expect(recent.since('g-0')).toBeUndefined()
    expect(recent.since('g-1')?.length).toBe(2)
    recent.add(sync(4, half.repeat(3)))
    expect(recent.since('g-3')).toBeUndefined()
    expect(recent.since('g-4')).toEqual([])
  })
})

describe('a pause before coming back', () => {
  test('is drawn from all below a bound that doubles, up to a cap', () => {
    for (const [attempts, bound] of [
      [0, 1000],
      [1, 2000],
      [4, 16_000],
      [5, 30_000],
      [5000, 30_000],
    ] as const) {
      const drawn = Array.from({ length: 1000 }, () => backoff(attempts, 1000, 30_000))
      expect(Math.max(...drawn)).toBeLessThanOrEqual(bound)
      expect(Math.max(...drawn)).toBeGreaterThan(bound * 0.9)
      expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0)
      expect(Math.min(...drawn)).toBeLessThan(bound * 0.1)
    }
  })

  test.each([
    ['3', 3000],
    ['0', 0],
    ['86400', 300_000],
    [new Date(0).toUTCString(), 0],
    ['', undefined],
    ['soon', undefined],
  ])('may be said by Retry-After: %j', (value, ms) => {
    expect(retryAfter(new Headers({ 'Retry-After': value }))).toBe(ms)
  })

  test('may be said by Retry-After as a date', () => {
    const ms = retryAfter(new Headers({ 'Retry-After': new Date(Date.now() + 60_000).toUTCString() }))
    expect(ms).toBeGreaterThan(58_000)
    expect(ms).toBeLessThanOrEqual(60_000)
  })
})

describe('by a clock', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  test('a watchdog barks once, when nobody has spoken to it', () => {
    const bark = vi.fn()
    const watch = createWatchdog(bark)
    watch.start(100)
    vi.advanceTimersByTime(90)
    watch.extend()
    vi.advanceTimersByTime(90)
    expect(bark).not.toHaveBeenCalled()
    vi.advanceTimersByTime(10)
    expect(bark).toHaveBeenCalledTimes(1)
    vi.advanceTimersByTime(1000)
    expect(bark).toHaveBeenCalledTimes(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a watchdog barks when it is asked, where its timer comes late', () => {
    const bark = vi.fn()
    const watch = createWatchdog(bark)
    watch.start(100)
    vi.setSystemTime(Date.now() + 50)
    watch.check()
    expect(bark).not.toHaveBeenCalled()
    vi.setSystemTime(Date.now() + 50)
    watch.check()
    expect(bark).toHaveBeenCalledTimes(1)
    watch.check()
    expect(bark).toHaveBeenCalledTimes(1)
  })

  test('a watchdog that is stopped says nothing, and leaves no timer', () => {
    const bark = vi.fn()
    const watch = createWatchdog(bark)
    watch.start(100)
    watch.start(50)
    watch.stop()
    watch.check()
    vi.advanceTimersByTime(1000)
    expect(bark).not.toHaveBeenCalled()
    expect(vi.getTimerCount()).toBe(0)
  })

  test.each([Infinity, 1e12])('a watchdog may be patient for %d ms', (ms) => {
    const set = vi.spyOn(globalThis, 'setTimeout')
    const bark = vi.fn()
    createWatchdog(bark).start(ms)
    vi.advanceTimersByTime(1000)
    expect(bark).not.toHaveBeenCalled()
    // Longer ones, browsers end at once.
    for (const [, delay = 0] of set.mock.calls) expect(delay).toBeLessThan(2 ** 31)
    expect(set.mock.calls.length).toBeLessThan(4)
  })

  test('a pause ends in time, or before', async () => {
    const pause = createPause()
    const ended = vi.fn()
    void pause.wait(100).then(ended)
    await vi.advanceTimersByTimeAsync(99)
    expect(ended).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(ended).toHaveBeenCalledTimes(1)
    void pause.wait(100).then(ended)
    pause.end()
    await vi.advanceTimersByTimeAsync(0)
    expect(ended).toHaveBeenCalledTimes(2)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('coalesced work', () => {
  /** Work that ends when it is told to. */
  function work(): { begun: number; end: (problem?: Error) => Promise<void>; run: () => Promise<void> } {
    let settle: (problem?: Error) => void = () => {}
    const one = {
      begun: 0,
      end: async (problem?: Error) => {
        settle(problem)
        await new Promise((resolve) => setTimeout(resolve))
      },
      run: () => {
        one.begun++
        return new Promise<void>((resolve, reject) => {
          settle = (problem) => (problem ? reject(problem) : resolve())
        })
      },
    }
    return one
  }

  test('runs once at a time, and once more for all that asked meanwhile', async () => {
    const one = work()
    const ask = coalesce(one.run)
    const settled: string[] = []
    for (const name of ['first', 'second', 'third']) void ask().then(() => settled.push(name))
    expect(one.begun).toBe(1)
    await one.end()
    expect([one.begun, settled]).toEqual([2, ['first']])
    void ask().then(() => settled.push('fourth'))
    await one.end()
    expect([one.begun, settled]).toEqual([3, ['first', 'second', 'third']])
    await one.end()
    expect([one.begun, settled.at(-1)]).toEqual([3, 'fourth'])
  })

  test('goes on behind a run that failed', async () => {
    const one = work()
    const ask = coalesce(one.run)
    const failed = ask().catch((problem: Error) => problem.message)
    const next = ask()
    await one.end(new Error('no network'))
    expect(await failed).toBe('no network')
    expect(one.begun).toBe(2)
    await one.end()
    await next
    void ask()
    expect(one.begun).toBe(3)
  })
})
