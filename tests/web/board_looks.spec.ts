// The board's views, light and dark, wide and narrow: pictures, and what a checker of accessibility says of them.
import type { BrowserContextOptions } from 'playwright-core'
import { describe, expect } from 'vitest'
import { enter, expectQuiet, visit, type BoardWindow } from './support/board.js'
import { expectAccessible, expectNoOverflow, picture } from './support/looks.js'
import { test, type World } from './support/world.js'

const PHONE: BrowserContextOptions = {
  viewport: { width: 390, height: 844 },
  deviceScaleFactor: 2,
  hasTouch: true,
  isMobile: true,
}

/** Looks at what there is now. */
async function look(window: BoardWindow, name: string): Promise<void> {
  await picture(window, name)
  await expectAccessible(window)
  await expectNoOverflow(window)
}

async function tour(world: World, suffix: string, options: BrowserContextOptions): Promise<BoardWindow> {
  const { origin } = await world.board()
  const stranger = await visit(world, origin, options)
  await stranger.page.getByRole('button', { name: 'Ada' }).waitFor()
  await look(stranger, `sign-in-${suffix}`)
  const ada = await enter(world, origin, 'Ada', options)
  await look(ada, `board-${suffix}`)

  await ada.open('Write the launch announcement')
  await look(ada, `task-${suffix}`)
  const grace = await enter(world, origin, 'Grace')
  await ada.dialog.getByLabel('Title').fill('Announce it')
  await grace.open('Write the launch announcement')
  await grace.dialog.getByLabel('Title').fill('Write and send the announcement')
  await grace.save()
  await ada.dialog.locator('.conflict').waitFor()
  await look(ada, `conflict-${suffix}`)
  await ada.page.keyboard.press('Escape')
  await ada.dialog.getByRole('button', { name: 'Discard them' }).click()

  await ada.page.getByRole('button', { name: /^Share, members/ }).click()
  await ada.dialog.getByLabel('Role of Ada').selectOption('viewer')
  await ada.page.getByText('a project needs an owner').waitFor()
  await look(ada, `project-${suffix}`)
  await ada.page.keyboard.press('Escape')
  await ada.dialog.waitFor({ state: 'detached' })

  await grace.drag('Draw the empty states', grace.column('Doing').getByRole('heading'))
  await ada.column('Doing').getByText('Draw the empty states').waitFor()
  await look(ada, `highlight-${suffix}`)
  expectQuiet(ada, grace)
  return ada
}

/** Fails if a column goes on to the right of `right`. */
async function expectInSight(window: BoardWindow, right: number): Promise<void> {
  const box = await window.column('Done').boundingBox()
  expect((box?.x ?? Infinity) + (box?.width ?? 0)).toBeLessThanOrEqual(right)
}

const tagsOf = (elements: Element[]): string[] => elements.map(({ tagName }) => tagName)

describe('the board', () => {
  test('in light', async ({ world }) => {
    const ada = await tour(world, 'light', { colorScheme: 'light' })
    await ada.page.getByRole('button', { name: 'Edit labels and categories' }).click()
    await look(ada, 'labels-light')
    await ada.page.keyboard.press('Escape')
    await ada.dialog.waitFor({ state: 'detached' })

    await ada.page.getByRole('button', { name: 'Switch to the dark theme' }).click()
    expect(await ada.page.evaluate(() => getComputedStyle(document.body).colorScheme)).toBe('dark')
    await ada.page.reload()
    await ada.untilLive()
    expect(await ada.page.evaluate(() => getComputedStyle(document.body).colorScheme)).toBe('dark')
  })

  test('in the dark', async ({ world }) => {
    await tour(world, 'dark', { colorScheme: 'dark' })
  })

  test('on a phone', async ({ world }) => {
    const ada = await tour(world, 'phone', PHONE)
    await ada.page.locator('.members-button [data-more="+1"]').waitFor()
    await ada.page.getByRole('button', { name: 'Projects and labels' }).click()
    const close = ada.page.getByRole('button', { name: 'Close the menu' })
    await ada.until('the focus to be in the menu', () => close.evaluate((button) => button === document.activeElement))
    await ada.page.getByText('Only you see these.').waitFor()
    await look(ada, 'menu-phone')
    await ada.page.keyboard.press('Escape')
    await ada.page.getByRole('button', { name: 'Done 4' }).tap()
    await ada.until('the column', async () => (await ada.column('Done').boundingBox())?.x ?? 0 < 100)
    await ada.page.getByRole('button', { name: 'Activity' }).tap()
    await look(ada, 'activity-phone')
  })

  test('in a window of a laptop, with all columns in sight, and the activity beside them when asked for', async ({
    world,
  }) => {
    const { origin } = await world.board()
    const ada = await enter(world, origin, 'Ada', { viewport: { width: 1280, height: 800 } })
    const activity = ada.page.getByRole('complementary', { name: 'Activity' })
    expect(await activity.count()).toBe(0)
    await expectInSight(ada, 1280)
    await look(ada, 'board-1280')
    await ada.page.getByRole('button', { name: 'Activity' }).click()
    const panel = await activity.boundingBox()
    await expectInSight(ada, panel?.x ?? 0)
    await look(ada, 'activity-1280')
    await ada.page.getByRole('button', { name: 'Edit labels and categories' }).click()
    expect(await ada.dialog.locator('.row').first().locator('input, select').evaluateAll(tagsOf)).toEqual(
      await ada.dialog.locator('.add-form').first().locator('input, select').evaluateAll(tagsOf),
    )
  })

  test('in a wide window, with the activity', async ({ world }) => {
    const { origin } = await world.board()
    const ada = await enter(world, origin, 'Ada', { viewport: { width: 1440, height: 900 } })
    const panel = await ada.page.getByRole('complementary', { name: 'Activity' }).boundingBox()
    await expectInSight(ada, panel?.x ?? 0)
  })

  test('without a project', async ({ world }) => {
    const { origin } = await world.board()
    const ada = await enter(world, origin, 'Ada')
    await ada.page.getByRole('button', { name: /^Share, members/ }).click()
    await ada.dialog.getByRole('button', { name: 'Delete the project' }).click()
    await ada.dialog.getByRole('button', { name: 'Really delete “Launch week”' }).click()
    await ada.page.getByRole('heading', { name: 'No projects yet' }).waitFor()
    await look(ada, 'empty')
    await ada.page.getByRole('textbox', { name: 'Name of the project' }).fill('The next one')
    await ada.page.keyboard.press('Enter')
    await ada.page.getByRole('heading', { name: 'The next one', level: 1 }).waitFor()
    await look(ada, 'empty-project')
    await ada.add('To do', 'The first task')
  })
})
