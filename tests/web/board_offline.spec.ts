// The task board without a network, or without a sign-in: what is changed meanwhile is shown, kept, sent, and answered for.
import { describe, expect } from 'vitest'
import { DEMO_TASKS, enter, expectQuiet, visit, type BoardWindow } from './support/board.js'
import { expectAccessible, picture } from './support/looks.js'
import { test, type World } from './support/world.js'

async function both(world: World): Promise<{ ada: BoardWindow; grace: BoardWindow; origin: string }> {
  const { origin } = await world.board()
  const ada = await enter(world, origin, 'Ada')
  return { ada, grace: await enter(world, origin, 'Grace'), origin }
}

async function says(window: BoardWindow, text: string): Promise<void> {
  await window.page.locator('.banner').getByText(text).waitFor()
}

async function untilSent(window: BoardWindow): Promise<void> {
  await window.untilLive()
  await window.page.locator('.banner').waitFor({ state: 'detached' })
  await window.page.locator('.waiting').first().waitFor({ state: 'detached' })
}

async function goOffline(window: BoardWindow): Promise<void> {
  await window.page.context().setOffline(true)
  await says(window, 'You are offline.')
  await window.page.locator('.status[data-status="offline"]').waitFor()
}

async function goOnline(window: BoardWindow): Promise<void> {
  await window.page.context().setOffline(false)
}

/** What the server has stored. */
async function roleOf({ page }: BoardWindow, userId: string): Promise<string | undefined> {
  const members: { userId: string; role: string }[] = await page.evaluate(async () =>
    (await fetch('/api/members')).json(),
  )
  return members.find((member) => member.userId === userId)?.role
}

async function setRole(owner: BoardWindow, role: string): Promise<void> {
  await owner.page.getByRole('button', { name: /^Share, members/ }).click()
  await owner.dialog.getByLabel('Role of Grace').selectOption(role)
  await owner.until(`the server to know that Grace is ${role}`, async () => (await roleOf(owner, 'grace')) === role)
  await owner.page.keyboard.press('Escape')
  await owner.dialog.waitFor({ state: 'detached' })
}

describe('offline', () => {
  test('work goes on, and is sent when the network is back', async ({ world }) => {
    const { ada, grace } = await both(world)
    await goOffline(ada)
    await ada.add('To do', 'Made in the train')
    await says(ada, '1 change waits, and will be sent when you are back.')
    await ada.open('Made in the train')
    await ada.dialog.getByLabel('Title').fill('Made in a train')
    await ada.dialog.getByRole('button', { name: 'Docs' }).click()
    await ada.save()
    await ada.drag('Made in a train', ada.column('Doing').getByRole('heading'))
    await ada.card('Choose a name').getByRole('button', { name: 'Reopen “Choose a name”' }).click()
    await ada.untilIn('To do', 'Choose a name')
    await says(ada, '5 changes wait')
    await ada.card('Made in a train').getByText('waits to be sent').waitFor()
    await picture(ada, 'offline-light')
    await expectAccessible(ada)
    const seen = await ada.titles('Doing')

    await grace.add('To do', 'Made at home')
    expect(await grace.page.getByText('Made in').count()).toBe(0)
    await goOnline(ada)
    await untilSent(ada)
    await ada.untilIn('To do', 'Made at home')
    await grace.untilTitles('Doing', seen)
    await grace.untilIn('To do', 'Choose a name')
    expect(seen[0]).toBe('Made in a train')
    expect(await ada.titles('Doing')).toEqual(seen)
    await ada.card('Made in a train').getByText('Docs').waitFor()
    await ada.page.reload()
    await ada.untilTitles('Doing', seen)
    await ada.card('Made in a train').getByText('Docs').waitFor()
    expectQuiet(ada, grace)
  })

  test('an edit leaves alone what others have changed of the same task', async ({ world }) => {
    const { ada, grace } = await both(world)
    await goOffline(ada)
    await ada.open('Draw the empty states')
    await ada.dialog.getByLabel('Title').fill('Draw them all')
    await ada.save()
    await grace.open('Draw the empty states')
    await grace.dialog.getByLabel('Description').fill('By Grace')
    await grace.dialog.getByLabel('Assignee').selectOption('Linus')
    await grace.save()
    await goOnline(ada)
    for (const window of [ada, grace]) {
      await window.card('Draw them all').getByRole('img', { name: 'Linus' }).waitFor()
      await window.open('Draw them all')
      expect(await window.dialog.getByLabel('Description').inputValue()).toBe('By Grace')
    }
  })

  test('a task is completed, and its successor appears once', async ({ world }) => {
    const { ada, grace } = await both(world)
    const title = 'Water the plants in the office'
    await goOffline(ada)
    await ada
      .card(title)
      .getByRole('button', { name: `Complete “${title}”` })
      .click()
    await ada.untilIn('Done', title)
    await goOnline(ada)
    for (const window of [ada, grace]) {
      await window.untilIn('To do', title)
      await window.untilIn('Done', title)
      expect(await window.card(title).count()).toBe(2)
    }
  })

  test('a change that is refused later is told, taken back, and tried again', async ({ world }) => {
    const { ada, grace } = await both(world)
    await goOffline(grace)
    await grace.open('Choose a name')
    await grace.dialog.getByLabel('Title').fill('Choose a better name')
    await grace.save()
    await grace.add('To do', 'Not to be')
    await setRole(ada, 'viewer')
    await goOnline(grace)
    const notices = grace.page.locator('.notice')
    const renaming = notices.filter({ hasText: 'Changing “Choose a name” was not saved' })
    await renaming.getByText('this needs the role editor; yours is viewer').waitFor()
    await notices.filter({ hasText: 'Adding “Not to be” was not saved' }).waitFor()
    await grace.untilGone('Not to be')
    await grace.untilIn('Done', 'Choose a name')
    await picture(grace, 'refused-light')
    await expectAccessible(grace)

    await notices.filter({ hasText: 'Not to be' }).getByRole('button', { name: 'Dismiss' }).click()
    await grace.until('one notice', async () => (await notices.count()) === 1)
    await setRole(ada, 'editor')
    await grace.page.getByRole('textbox', { name: 'New task in To do' }).waitFor()
    await renaming.getByRole('button', { name: 'Try again' }).click()
    await ada.untilIn('Done', 'Choose a better name')
    await grace.untilIn('Done', 'Choose a better name')
    await notices.first().waitFor({ state: 'detached' })
    expectQuiet(ada, grace)
  })
})

describe('a change of a row that is gone', () => {
  async function titleOf({ page }: BoardWindow): Promise<string> {
    return page.locator('.notice').first().innerText()
  }

  test('is told by the name that the row had, also after a reload, and is not tried again', async ({ world }) => {
    const { ada, grace } = await both(world)
    const title = 'Draw the empty states'
    await goOffline(grace)
    await grace
      .card(title)
      .getByRole('button', { name: `Complete “${title}”` })
      .click()
    await grace.untilIn('Done', title)
    await ada.open(title)
    await ada.dialog.getByRole('button', { name: 'Delete' }).click()
    await ada.dialog.getByRole('button', { name: 'Really delete' }).click()
    await ada.untilGone(title)
    await goOnline(grace)
    const notice = grace.page.locator('.notice', { hasText: `Completing “${title}” was not saved: there is no such` })
    await notice.waitFor()
    await grace.untilGone(title)
    expect(await notice.getByRole('button').allInnerTexts()).toEqual(['Dismiss'])
    const told = await titleOf(grace)
    await grace.page.reload()
    await notice.waitFor()
    expect(await titleOf(grace)).toBe(told)
    await notice.getByRole('button', { name: 'Dismiss' }).click()
    await notice.waitFor({ state: 'detached' })
    expectQuiet(ada, grace)
  })
})

describe('without a broker', () => {
  test('the page says so, keeps what is changed, and goes on with the next one', async ({ world }) => {
    const broker = await world.board()
    const ada = await enter(world, broker.origin, 'Ada')
    await broker.kill()
    await ada.add('To do', 'While it was away')
    await says(ada, 'There is no connection. 1 change waits')
    await world.successor(broker).listening()
    await untilSent(ada)
    const grace = await enter(world, broker.origin, 'Grace')
    await grace.untilIn('To do', 'While it was away')
    await grace.add('To do', 'Live again')
    await ada.untilIn('To do', 'Live again')
  })
})

describe('a board that could not be loaded', () => {
  test('is loaded again, though the stream is open', async ({ world }) => {
    const broker = await world.board()
    const ada = await visit(world, broker.origin)
    const { page } = ada
    let asked = 0
    await page.route('**/api/tasks', (route) => (++asked === 1 ? route.fulfill({ status: 503 }) : route.continue()))
    await page.getByRole('button', { name: 'Ada' }).click()
    await page.getByText('could not be loaded').waitFor()
    await page
      .locator('.card')
      .nth(DEMO_TASKS - 1)
      .waitFor()
    expectQuiet(ada)
  })
})

describe('a browser in which somebody else signs in', () => {
  test('shows who it is in all of its tabs', async ({ world }) => {
    const broker = await world.board()
    const ada = await enter(world, broker.origin, 'Ada')
    const page = await ada.page.context().newPage()
    await page.goto(broker.origin)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('button', { name: 'Grace' }).click()
    await page.locator('.me-name', { hasText: 'Grace' }).waitFor()
    await ada.page.evaluate(() => window.dispatchEvent(new Event('focus')))
    await ada.page.locator('.me-name', { hasText: 'Grace' }).waitFor()
    await ada.untilLive()
  })
})

describe('somebody who was signed out elsewhere', () => {
  test('is told so, and signs in again without losing anything', async ({ world }) => {
    const { ada, grace } = await both(world)
    const { page } = ada
    await page.evaluate(() => fetch('/api/logout', { method: 'POST' }))
    await page.getByText('You have been signed out.').waitFor()
    await ada.add('To do', 'Not signed in')
    await says(ada, '1 change will be sent when you are back.')
    await page.getByRole('textbox', { name: 'New task in Doing' }).fill('Being typed')
    await picture(ada, 'expired-light')
    await expectAccessible(ada)
    await page.getByRole('button', { name: 'Sign in as Ada' }).click()
    await untilSent(ada)
    await grace.untilIn('To do', 'Not signed in')
    expect(await page.getByRole('textbox', { name: 'New task in Doing' }).inputValue()).toBe('Being typed')
    expectQuiet(ada, grace)
  })
})
