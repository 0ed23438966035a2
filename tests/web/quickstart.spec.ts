// The page of examples/quickstart: a shared list in plain JavaScript.
import type { BrowserContext } from 'playwright-core'
import { describe, expect } from 'vitest'
import { ListTab, rowsOf } from './support/list.js'
import { expectAccessible, expectNoOverflow, picture } from './support/looks.js'
import { until } from './support/wait.js'
import { test, type World } from './support/world.js'

interface Scene {
  broker: { origin: string }
  context: BrowserContext
  ada: ListTab
  twin: ListTab
}

/** Two tabs of Ada's in one browser, with these items. */
async function scene(world: World, ...titles: string[]): Promise<Scene> {
  const broker = await world.quickstart()
  for (const title of titles) await post(broker, title)
  const context = await world.context()
  const ada = await ListTab.open(context, broker.origin, 'ada')
  const twin = await ListTab.open(context, broker.origin, 'ada')
  for (const tab of [ada, twin]) await tab.untilShown(titles.join(' '))
  return { broker, context, ada, twin }
}

async function post({ origin }: { origin: string }, title: string): Promise<void> {
  const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ title }) }
  expect((await fetch(`${origin}/api/items?user=grace`, init)).status).toBe(201)
}

async function eachShows(rows: string, ...tabs: ListTab[]): Promise<void> {
  for (const tab of tabs) await tab.untilShown(rows)
}

const titlesOf = async (broker: { origin: string }): Promise<string[]> =>
  (await rowsOf(broker)).map(({ title, done }) => `${title}${done ? '+' : ''}`)

describe('the shared list', () => {
  test('asks for a name, and shows each what the other does', async ({ world }) => {
    const broker = await world.quickstart()
    const page = await (await world.context()).newPage()
    await page.goto(broker.origin)
    await page.getByRole('textbox', { name: 'Your name' }).fill('Łukasz & Søn')
    await page.getByRole('button', { name: 'Open the list' }).click()
    await page.getByText('You are Łukasz & Søn.').waitFor()
    const grace = await ListTab.open(await world.context(), broker.origin, 'grace')
    await page.getByRole('textbox', { name: 'New item' }).fill('Milk')
    await page.keyboard.press('Enter')
    await grace.untilShown('Milk')
    await grace.box('Milk').check()
    await page.getByRole('checkbox', { name: 'Milk', checked: true }).waitFor()
    await grace.rename('Milk', 'Oat milk')
    await page.getByRole('textbox', { name: 'Title of Oat milk' }).waitFor()
    await grace.remove('Oat milk')
    await page.getByRole('checkbox').waitFor({ state: 'detached' })
    expect(grace.problems).toEqual([])
  })

  test('keeps what is being typed while others change the same item', async ({ world }) => {
    const { broker, ada } = await scene(world, 'Milk')
    const grace = await ListTab.open(await world.context(), broker.origin, 'grace')
    await ada.field('Milk').fill('Oat mi')
    await grace.rename('Milk', 'Soy milk')
    await grace.add('Bread')
    await ada.items.nth(1).waitFor()
    await ada.page.keyboard.type('lk')
    await ada.page.keyboard.press('Enter')
    await eachShows('Oat milk Bread', ada, grace)
    await ada.field('Oat milk').fill('nothing')
    await ada.page.keyboard.press('Escape')
    await eachShows('Oat milk Bread', ada)
  })

  test('shows what is done offline at once in all tabs, and then it is made once', async ({ world }) => {
    const { broker, context, ada, twin } = await scene(world, 'Milk', 'Bread', 'Eggs')
    await context.setOffline(true)
    await ada.add('Tea')
    await ada.box('Milk').check()
    await eachShows('Milk+… Bread Eggs Tea…', ada, twin)
    await twin.remove('Bread')
    await twin.rename('Tea', 'Green tea')
    await twin.box('Green tea').check()
    await twin.add('Jam')
    const waiting = 'Milk+… Eggs Green tea+… Jam…'
    await eachShows(waiting, ada, twin)
    for (const tab of [ada, twin]) await tab.untilStatus('Offline · 6 waiting')
    expect(await titlesOf(broker)).toEqual(['Milk', 'Bread', 'Eggs'])

    for (const tab of [ada, twin]) await tab.watch()
    await context.setOffline(false)
    await eachShows('Milk+ Eggs Green tea+ Jam', ada, twin)
    for (const tab of [ada, twin]) {
      await tab.untilStatus('Live')
      await tab.expectSteady()
      expect(tab.problems).toEqual([])
    }
    expect(await titlesOf(broker)).toEqual(['Milk+', 'Eggs', 'Green tea+', 'Jam'])
  })

  test('shows an item once while nobody has its answer', async ({ world }) => {
    const { broker, context, ada, twin } = await scene(world, 'Milk')
    let answer = (): void => {}
    const held = new Promise<void>((resolve) => (answer = resolve))
    await context.setOffline(true)
    await ada.add('Tea')
    await eachShows('Milk Tea…', ada, twin)
    for (const tab of [ada, twin]) await tab.watch()
    await context.route('**/api/items?*', async (route) => {
      if (route.request().method() !== 'POST') return route.continue()
      const response = await route.fetch()
      await held
      return route.fulfill({ response })
    })
    // The answers to fetches of the list that began after the item was made.
    const fetched = [ada, twin].map(({ page }) =>
      page.waitForResponse(async (one) => one.request().method() === 'GET' && (await one.text()).includes('Tea')),
    )
    await context.setOffline(false)
    await until('the item', async () => (await titlesOf(broker)).includes('Tea'))
    await post(broker, 'Jam')
    await Promise.all(fetched)
    answer()
    await eachShows('Milk Tea Jam', ada, twin)
    for (const tab of [ada, twin]) await tab.expectSteady()
  })

  test('keeps the focus in an item that gets its real id', async ({ world }) => {
    const { context, ada, twin } = await scene(world)
    await context.setOffline(true)
    await ada.add('Tea')
    await ada.untilShown('Tea…')
    await ada.field('Tea').fill('Tea, gre')
    await context.setOffline(false)
    await eachShows('Tea', twin)
    await ada.untilStatus('Live')
    await ada.items.and(ada.page.locator(':not([data-waits])')).waitFor()
    await ada.page.keyboard.type('en')
    await ada.page.keyboard.press('Enter')
    await eachShows('Tea, green', ada, twin)
  })

  test('shows what waits after a reload, and the rows when they can be had', async ({ world }) => {
    const { broker, context, ada, twin } = await scene(world, 'Milk')
    const api = (url: URL): boolean => url.pathname.startsWith('/api/')
    await context.route(api, (route) => route.abort())
    await ada.add('Tea')
    await ada.box('Milk').check()
    await eachShows('Milk+… Tea…', ada, twin)
    await ada.page.reload()
    await ada.untilShown('Tea…')
    await ada.untilStatus('[A-Z][a-z]+ · 2 waiting')
    expect(await titlesOf(broker)).toEqual(['Milk'])
    await context.unroute(api)
    await ada.look()
    await eachShows('Milk+ Tea', ada, twin)
    await ada.untilStatus('Live')
    expect(await titlesOf(broker)).toEqual(['Milk+', 'Tea'])
  })

  test('fetches the rows when there is a connection again, though nothing has happened', async ({ world }) => {
    const { context, ada } = await scene(world, 'Milk')
    const api = (url: URL): boolean => url.pathname.startsWith('/api/')
    await context.route(api, (route) => route.abort())
    await ada.page.reload()
    await ada.untilStatus('Connecting')
    await context.unroute(api)
    await ada.look()
    await ada.untilShown('Milk')
  })

  test('shows the rows with what waits when only changes cannot be sent', async ({ world }) => {
    const { broker, context, ada, twin } = await scene(world, 'Milk')
    await context.route('**/api/items**', (route) =>
      route.request().method() === 'GET' ? route.continue() : route.abort(),
    )
    await ada.add('Tea')
    await ada.box('Milk').check()
    await ada.untilStatus('[A-Z][a-z]+ · 2 waiting') // then both are written down
    await ada.page.reload()
    await eachShows('Milk+… Tea…', ada, twin)
    await post(broker, 'Jam')
    await until(
      'all',
      async () => /Jam/.test(await ada.shown()) && /Tea…/.test(await ada.shown()),
      () => ada.shown(),
    )
  })

  test('shows a change that was refused until it is dismissed, or tried again', async ({ world }) => {
    const { broker, context, ada, twin } = await scene(world, 'Milk', 'Bread')
    const [milk] = await rowsOf(broker)
    await context.setOffline(true)
    await ada.rename('Milk', 'Oat milk')
    await ada.box('Bread').check()
    await eachShows('Oat milk… Bread+…', ada, twin)
    await fetch(`${broker.origin}/api/items/${milk?.id}?user=grace`, { method: 'DELETE' })
    await context.setOffline(false)
    for (const tab of [ada, twin]) {
      await tab.untilShown('Bread+')
      await tab.failures.getByText('Rename “Milk” to “Oat milk”: there is no such item').waitFor()
    }
    await ada.failures.getByRole('button', { name: 'Try again' }).click()
    await until('another refusal', async () => (await ada.failures.count()) === 1)
    await ada.page.reload()
    await ada.failures.getByText('Rename “Milk” to “Oat milk”').waitFor()
    await ada.failures.getByRole('button', { name: 'Dismiss' }).click()
    for (const tab of [ada, twin]) await tab.failures.waitFor({ state: 'detached' })
  })

  test('says why a change was refused at once, and shows the item as it is', async ({ world }) => {
    const { context, ada, twin } = await scene(world, 'Milk')
    const json = { error: { code: 'full', message: 'the list is closed' } }
    await context.route('**/api/items/**', (route) => route.fulfill({ status: 403, json }))
    await ada.rename('Milk', 'Oat milk')
    await ada.page.getByRole('status').getByText('Rename “Milk” to “Oat milk”: the list is closed').waitFor()
    await eachShows('Milk', ada, twin)
    expect(await ada.failures.count()).toBe(0)
  })

  test('can be used by keyboard', async ({ world }) => {
    const { ada, twin } = await scene(world)
    const { keyboard } = ada.page
    await ada.page.getByRole('textbox', { name: 'New item' }).focus()
    await keyboard.type('Milk')
    await keyboard.press('Enter')
    await ada.untilShown('Milk')
    await keyboard.press('Tab')
    await keyboard.press('Tab')
    await keyboard.press('Space')
    await eachShows('Milk+', ada, twin)
    await keyboard.press('Tab')
    await keyboard.type('Oat milk')
    await keyboard.press('Enter')
    await eachShows('Oat milk+', ada, twin)
    await keyboard.press('Tab')
    await keyboard.press('Enter')
    await eachShows('', ada, twin)
    await keyboard.type('Bread')
    await keyboard.press('Enter')
    await eachShows('Bread', ada, twin)
  })

  for (const [name, options] of Object.entries({
    light: { colorScheme: 'light' },
    dark: { colorScheme: 'dark' },
    phone: { viewport: { width: 360, height: 640 }, hasTouch: true, isMobile: true },
  } as const)) {
    test(`is accessible and fits: ${name}`, async ({ world }) => {
      const broker = await world.quickstart()
      for (const title of ['Milk', 'Bread', 'M'.repeat(200)]) await post(broker, title)
      const [milk] = await rowsOf(broker)
      const context = await world.context(options)
      const ada = await ListTab.open(context, broker.origin, 'ada')
      await ada.box('Bread').waitFor() // the rows may come behind the stream
      await context.setOffline(true)
      await ada.rename('Milk', 'O'.repeat(150))
      await ada.untilStatus('Offline · 1 waiting')
      await fetch(`${broker.origin}/api/items/${milk?.id}?user=grace`, { method: 'DELETE' })
      await context.setOffline(false)
      await ada.failures.waitFor()
      await context.setOffline(true)
      await ada.box('Bread').check()
      await ada.add('Tea')
      await ada.untilStatus('Offline · 2 waiting')
      await picture(ada, `quickstart-${name}`)
      await expectAccessible(ada)
      await expectNoOverflow(ada)
    })
  }
})
