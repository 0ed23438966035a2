// Coming into a project, and going out of it: by oneself, by others, and what is said of it.
import { describe, expect } from 'vitest'
import { enter, expectQuiet, type BoardWindow } from './support/board.js'
import { test, type World } from './support/world.js'

async function both(world: World): Promise<{ ada: BoardWindow; grace: BoardWindow }> {
  const { origin } = await world.board()
  const ada = await enter(world, origin, 'Ada')
  return { ada, grace: await enter(world, origin, 'Grace') }
}

async function make({ page }: BoardWindow, name: string): Promise<void> {
  await page.getByRole('textbox', { name: 'New project' }).fill(name)
  await page.getByRole('textbox', { name: 'New project' }).press('Enter')
  await page.getByRole('heading', { name, level: 1 }).waitFor()
}

async function openSettings({ page, dialog }: BoardWindow): Promise<void> {
  await page.getByRole('button', { name: /^Share, members/ }).click()
  await dialog.waitFor()
}

/** Ada has a project of her own, in which Grace is, and looks at. */
async function shared(ada: BoardWindow, grace: BoardWindow, role: string): Promise<void> {
  await make(ada, 'A secret')
  await openSettings(ada)
  await ada.dialog.getByLabel('Who is to come in').selectOption('Grace')
  await ada.dialog.getByLabel('As what').selectOption(role)
  await ada.dialog.getByRole('button', { name: 'Share' }).click()
  await entry(grace, 'A secret').click()
  await grace.page.getByRole('heading', { name: 'A secret', level: 1 }).waitFor()
}

const entry = ({ page }: BoardWindow, name: string) => page.getByRole('button', { name: new RegExp(`^${name}`) })

async function untilOut(window: BoardWindow): Promise<void> {
  await window.page.getByRole('heading', { name: 'Launch week', level: 1 }).waitFor()
  expect(await entry(window, 'A secret').count()).toBe(0)
  expect(await window.dialog.count()).toBe(0)
}

async function activity({ page }: BoardWindow, text: string): Promise<void> {
  const panel = page.getByRole('complementary', { name: 'Activity' })
  if (!(await panel.isVisible())) await page.getByRole('button', { name: 'Activity' }).click()
  await panel.getByText(text).waitFor()
}

describe('who leaves a project', () => {
  test('is asked, loses it at once, and is said to have left', async ({ world }) => {
    const { ada, grace } = await both(world)
    await shared(ada, grace, 'editor')
    await openSettings(grace)
    await grace.dialog.getByRole('button', { name: 'Leave the project' }).click()
    await ada.dialog.getByLabel('Role of Grace').waitFor()
    await grace.dialog.getByRole('button', { name: 'Really leave “A secret”' }).click()
    await untilOut(grace)
    await activity(grace, 'You left “A secret”')
    await ada.dialog.getByLabel('Role of Grace').waitFor({ state: 'detached' })
    await ada.page.keyboard.press('Escape')
    await activity(ada, 'Grace left “A secret”')
    await grace.page.reload()
    await grace.untilLive()
    await untilOut(grace)
    expectQuiet(ada, grace)
  })

  test('loses it without a network, too', async ({ world }) => {
    const { ada, grace } = await both(world)
    await shared(ada, grace, 'viewer')
    await openSettings(grace)
    await grace.page.context().setOffline(true)
    await grace.dialog.getByRole('button', { name: 'Leave the project' }).click()
    await grace.dialog.getByRole('button', { name: 'Really leave “A secret”' }).click()
    await untilOut(grace)
    await ada.dialog.getByLabel('Role of Grace').waitFor()
    await grace.page.context().setOffline(false)
    await ada.dialog.getByLabel('Role of Grace').waitFor({ state: 'detached' })
    await activity(grace, 'You left “A secret”')
    await untilOut(grace)
  })

  test('is not offered it as the only owner', async ({ world }) => {
    const { ada, grace } = await both(world)
    await shared(ada, grace, 'editor')
    await ada.dialog.getByText('You are the only owner, so you cannot leave').waitFor()
    const leave = ada.dialog.getByRole('button', { name: 'Leave the project' })
    expect(await leave.count()).toBe(0)
    await ada.dialog.getByLabel('Role of Grace').selectOption('owner')
    await leave.click()
    await ada.dialog.getByRole('button', { name: 'Really leave “A secret”' }).click()
    await untilOut(ada)
    await openSettings(grace)
    await grace.dialog.getByText('You are the only owner').waitFor()
  })
})

describe('who deletes a project', () => {
  test('loses it at once, and so does everybody, who is told', async ({ world }) => {
    const { ada, grace } = await both(world)
    await shared(ada, grace, 'editor')
    await openSettings(grace)
    await ada.dialog.getByText('will be deleted for everybody').waitFor()
    await ada.dialog.getByRole('button', { name: 'Delete the project' }).click()
    await ada.dialog.getByRole('button', { name: 'Really delete “A secret”' }).click()
    await untilOut(ada)
    await activity(ada, 'You deleted the project “A secret”')
    // The dialog was that project's, and does not go on with another one.
    await untilOut(grace)
    await grace.page.locator('.notice').getByText('Ada deleted the project “A secret”.').waitFor()
  })
})

describe('somebody', () => {
  test('is told who let them in, and who took them out', async ({ world }) => {
    const { ada, grace } = await both(world)
    await shared(ada, grace, 'editor')
    const news = grace.page.locator('.notice[data-kind="news"]')
    await news.getByText('Ada added you to “A secret”.').waitFor()
    await ada.dialog.getByLabel('Role of Grace').waitFor()
    await activity(grace, 'Ada added you to “A secret”')
    await ada.dialog.getByRole('button', { name: 'Take Grace out' }).click()
    await news.getByText('Ada took you out of “A secret”.').waitFor()
    await untilOut(grace)
    await activity(grace, 'Ada took you out of “A secret”')
    expect(await ada.page.locator('.notice').count()).toBe(0)
    await news.first().getByRole('button', { name: 'Dismiss' }).click()
    await grace.until('one to be left', async () => (await news.count()) === 1)
    expectQuiet(ada, grace)
  })
})
