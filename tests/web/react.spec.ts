// The hooks, in React's development mode.
import { renderToString } from 'react-dom/server'
import { createElement } from 'react'
import { RealtimeProvider } from 'pillar-client/react'
import type { Page } from 'playwright-core'
import { describe, expect } from 'vitest'
import type {} from './apps/react/page.js'
import { Badge } from './apps/react/badge.js'
import type { Broker } from './support/broker.js'
import { addReact } from './support/react.js'
import type { Tab } from './support/tab.js'
import { until } from './support/wait.js'
import { test, type World } from './support/world.js'

class ReactTab {
  /** The streams that it has asked for. */
  streams = 0

  constructor(readonly page: Page) {
    page.on('request', (request) => {
      if (request.url().includes('/api/events')) this.streams++
    })
  }

  async shows(id: string, text: string): Promise<void> {
    await this.page.locator(`#${id}`, { hasText: text }).waitFor()
  }

  async told(): Promise<{ action: string; render: string }[]> {
    return this.page.evaluate(() => window.react.told)
  }

  async untilTold(count: number): Promise<{ action: string; render: string }[]> {
    return until(
      `${count} events`,
      async () => {
        const told = await this.told()
        return told.length >= count && told
      },
      () => this.told().then(JSON.stringify),
    )
  }

  async mount(strict = false): Promise<void> {
    await this.page.evaluate((isStrict) => window.react.mount(isStrict), strict)
    await this.shows('badge', 'live, 0 waiting, 0 failed')
  }

  async render(name: string, entities?: string[]): Promise<void> {
    await this.page.evaluate(([n, e]) => window.react.render(n, e), [name, entities] as const)
    await this.shows('render', name)
  }

  async subscriptions(): Promise<number> {
    return this.page.evaluate(() => window.react.subscriptions)
  }

  async complaints(): Promise<string[]> {
    return this.page.evaluate(() => window.react.complaints)
  }
}

async function scene(world: World): Promise<{ broker: Broker; ada: ReactTab; grace: Tab }> {
  const broker = await world.broker()
  const grace = await world.tab(broker, 'grace', 'desk')
  const context = await world.context()
  const page = await context.newPage()
  const ada = new ReactTab(page)
  await page.goto(broker.origin)
  await page.evaluate(() => window.send('POST', '/api/login', '', { user: 'ada' }))
  await addReact(page)
  return { broker, ada, grace }
}

describe('a page in React', () => {
  test('has one stream in StrictMode, and tells each event once', async ({ world }) => {
    const { broker, ada, grace } = await scene(world)
    await ada.mount(true)
    await grace.write('one', 'two')
    expect(await ada.untilTold(2)).toEqual([
      { action: 'created', render: 'first' },
      { action: 'created', render: 'first' },
    ])
    expect(ada.streams).toBe(1)
    expect(await broker.metric('streams')).toBe(1)
    expect(await ada.complaints()).toEqual([])
  })

  test('calls the handler of the newest render, and subscribes only when the entities change', async ({ world }) => {
    const { ada, grace } = await scene(world)
    await ada.mount()
    await grace.write('one')
    await ada.untilTold(1)
    await ada.render('second')
    await grace.write('two')
    await ada.untilTold(2)
    expect(await ada.subscriptions()).toBe(1)
    await ada.render('third', ['note', 'fence'])
    expect(await ada.subscriptions()).toBe(2)
    await grace.write('three')
    expect((await ada.untilTold(3)).map(({ render }) => render)).toEqual(['first', 'second', 'third'])
    await ada.render('fourth', ['fence'])
    await grace.write('four')
    expect(await grace.insist('POST', '/api/fences/last')).toMatchObject({ status: 204 })
    expect((await ada.untilTold(4)).at(-1)).toEqual({ action: 'last', render: 'fourth' })
    expect(ada.streams).toBe(1)
  })

  test('does not call the handler of a render that is not on the screen', async ({ world }) => {
    const { ada, grace } = await scene(world)
    await ada.mount()
    await ada.page.evaluate(() => window.react.hang('never'))
    await grace.write('one')
    expect(await ada.untilTold(1)).toEqual([{ action: 'created', render: 'first' }])
  })

  test('is told when it is time to fetch anew', async ({ world }) => {
    const { broker, ada } = await scene(world)
    await ada.mount()
    await broker.kill()
    await world.successor(broker, { args: ['--new-history'] }).listening()
    expect(await ada.untilTold(1)).toEqual([{ action: 'resync', render: 'first' }])
    await ada.shows('badge', 'live')
  })

  test('lets go of the stream when it is taken away, and takes it up when it is put back', async ({ world }) => {
    const { broker, ada, grace } = await scene(world)
    await ada.mount(true)
    await ada.page.evaluate(() => window.react.unmount())
    await until('the stream to end', async () => (await broker.metric('streams')) === 0)
    await ada.mount(true)
    expect(await broker.metric('streams')).toBe(1)
    await grace.write('one')
    await ada.untilTold(1)
  })

  test('takes over what a server has rendered, and keeps the Sync that it has made', async ({ world }) => {
    const { ada } = await scene(world)
    const html = renderToString(createElement(RealtimeProvider, null, createElement(Badge)))
    await ada.page.evaluate((markup) => window.react.hydrate(markup), html)
    await ada.shows('badge', 'live, 0 waiting, 0 failed')
    expect(await ada.complaints()).toEqual([])
    expect(ada.streams).toBe(1)
    expect(await ada.page.evaluate(() => window.react.sessions.size)).toBe(1)
  })
})
