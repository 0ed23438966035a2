// A window in which somebody looks at the task board.
import type { BrowserContextOptions, Locator, Page } from 'playwright-core'
import { expect } from 'vitest'
import { until } from './wait.js'
import type { World } from './world.js'

export class BoardWindow {
  /** What the page wrote to its console that is amiss, and what it threw. */
  readonly complaints: string[] = []

  constructor(readonly page: Page) {
    page.setDefaultTimeout(10_000)
    page.on('pageerror', (problem) => this.complaints.push(String(problem)))
    page.on('console', (message) => {
      // A browser complains about each answer of 400 and above, and about each request without one.
      const isNetwork = message.text().startsWith('Failed to load resource')
      if (message.type() === 'error' && !isNetwork) this.complaints.push(message.text())
    })
  }

  card(title: string): Locator {
    return this.page.locator('.card', { has: this.opener(title) })
  }

  /** What opens a task's dialog, and has the focus. */
  opener(title: string): Locator {
    return this.page.getByRole('button', { name: title, exact: true })
  }

  column(name: string): Locator {
    return this.page.getByRole('region', { name, exact: true })
  }

  get dialog(): Locator {
    return this.page.getByRole('dialog')
  }

  async titles(column: string): Promise<string[]> {
    return this.column(column).locator('.card-open').allInnerTexts()
  }

  /** Waits until a column's tasks are these, in this order. */
  async untilTitles(column: string, titles: string[]): Promise<void> {
    await this.until(
      `${column}: ${titles.join(', ')}`,
      async () => (await this.titles(column)).join() === titles.join(),
    )
  }

  async untilIn(column: string, title: string): Promise<void> {
    await this.column(column)
      .locator('.card', { has: this.opener(title) })
      .waitFor()
  }

  async untilGone(title: string): Promise<void> {
    await this.card(title).waitFor({ state: 'detached' })
  }

  async until(what: string, look: () => Promise<unknown> | unknown): Promise<void> {
    await until(what, look, () => this.page.locator('body').innerText())
  }

  async untilLive(): Promise<void> {
    await this.page.locator('.status[data-status="live"]').waitFor()
  }

  async add(column: string, title: string): Promise<void> {
    const field = this.page.getByRole('textbox', { name: `New task in ${column}` })
    await field.fill(title)
    await field.press('Enter')
    await this.untilIn(column, title)
  }

  async open(title: string): Promise<void> {
    await this.opener(title).click()
    await this.dialog.waitFor()
  }

  async save(): Promise<void> {
    await this.dialog.getByRole('button', { name: 'Save' }).click()
    await this.dialog.waitFor({ state: 'detached' })
  }

  /** Drags a card by the mouse to where another one is, or into the head of a column. */
  async drag(title: string, target: Locator): Promise<void> {
    const { mouse } = this.page
    await this.card(title).scrollIntoViewIfNeeded()
    const [from, to] = [await boxOf(this.card(title)), await boxOf(target)]
    await mouse.move(from.x + from.width / 2, from.y + from.height - 8)
    await mouse.down()
    await mouse.move(from.x + from.width / 2 + 10, from.y + from.height, { steps: 3 })
    await mouse.move(to.x + to.width / 2, to.y + 4, { steps: 8 })
    await this.page.locator('.gap').waitFor()
    await mouse.up()
    await this.page.locator('.ghost').waitFor({ state: 'detached' })
  }
}

async function boxOf(locator: Locator): Promise<{ x: number; y: number; width: number; height: number }> {
  const box = await locator.boundingBox()
  if (!box) throw new Error('there is nothing to drag, or nowhere to drag it')
  return box
}

export const DEMO_TASKS = 12

/** A window in which nobody is signed in. */
export async function visit(world: World, origin: string, options: BrowserContextOptions = {}): Promise<BoardWindow> {
  const context = await world.context({ viewport: { width: 1360, height: 820 }, reducedMotion: 'reduce', ...options })
  const page = await context.newPage()
  const window = new BoardWindow(page)
  await page.goto(origin)
  return window
}

/** A window in which somebody is signed in, on the project that the first visitor finds. */
export async function enter(
  world: World,
  origin: string,
  name: string,
  options: BrowserContextOptions = {},
): Promise<BoardWindow> {
  const window = await visit(world, origin, options)
  await window.page.getByRole('button', { name }).click()
  await window.page
    .locator('.card')
    .nth(DEMO_TASKS - 1)
    .waitFor()
  await window.untilLive()
  return window
}

export function expectQuiet(...windows: BoardWindow[]): void {
  for (const { complaints } of windows) expect(complaints).toEqual([])
}
