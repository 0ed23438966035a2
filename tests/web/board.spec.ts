// The task board in two windows, side by side.
import { expect, describe } from 'vitest'
import { enter, expectQuiet, visit, type BoardWindow } from './support/board.js'
import { centre, Finger } from './support/finger.js'
import { Gate } from './support/gate.js'
import { test, type World } from './support/world.js'

async function both(world: World): Promise<{ ada: BoardWindow; grace: BoardWindow; origin: string }> {
  const { origin } = await world.board()
  const ada = await enter(world, origin, 'Ada')
  return { ada, grace: await enter(world, origin, 'Grace'), origin }
}

describe('two windows', () => {
  test('show what the other one adds, edits, moves and deletes, and who it was', async ({ world }) => {
    const { ada, grace } = await both(world)
    await ada.add('To do', 'Bake a cake')
    await grace.untilIn('To do', 'Bake a cake')
    expect(await grace.card('Bake a cake').getAttribute('data-fresh')).toBe('true')
    expect(await grace.card('Bake a cake').locator('.card-who').innerText()).toBe('Ada')
    expect(await ada.card('Bake a cake').locator('.card-who').count()).toBe(0)

    await grace.open('Bake a cake')
    await grace.dialog.getByLabel('Title').fill('Bake two cakes')
    await grace.dialog.getByLabel('Assignee').selectOption('Grace')
    await grace.save()
    await ada.untilIn('To do', 'Bake two cakes')
    await ada.card('Bake two cakes').getByRole('img', { name: 'Grace' }).waitFor()

    await ada.drag('Bake two cakes', ada.column('Doing').getByRole('heading'))
    await grace.untilIn('Doing', 'Bake two cakes')
    expect((await grace.titles('Doing'))[0]).toBe('Bake two cakes')
    expect(await grace.titles('Doing')).toEqual(await ada.titles('Doing'))

    await grace.open('Bake two cakes')
    await grace.dialog.getByRole('button', { name: 'Delete' }).click()
    await grace.dialog.getByRole('button', { name: 'Really delete' }).click()
    await ada.untilGone('Bake two cakes')

    await ada.page.getByRole('button', { name: 'Activity' }).click()
    const activity = ada.page.getByRole('complementary', { name: 'Activity' })
    await activity.getByText('Grace deleted “Bake two cakes”').waitFor()
    await activity.getByText('You moved “Bake two cakes” to Doing').waitFor()
    await activity
      .getByText('Grace renamed “Bake a cake” to “Bake two cakes”, gave “Bake two cakes” to Grace')
      .waitFor()
    const said = grace.page.getByRole('log', { name: 'Changes by others' })
    await grace.until('the move to be said', async () =>
      (await said.innerText()).includes('Ada moved “Bake two cakes”'),
    )
    expectQuiet(ada, grace)
  })

  test('keep what somebody is typing when the same task changes, and show both', async ({ world }) => {
    const { ada, grace } = await both(world)
    await ada.open('Draw the empty states')
    const description = ada.dialog.getByLabel('Description')
    await description.fill('A new project, and a search')
    await description.evaluate((field) => (field as HTMLTextAreaElement).setSelectionRange(2, 2))

    await grace.open('Draw the empty states')
    await grace.dialog.getByLabel('Title').fill('Draw all empty states')
    await grace.dialog.getByLabel('Description').fill('Only the new project')
    await grace.save()

    const theirs = ada.dialog.locator('.conflict')
    await theirs.waitFor()
    expect(await theirs.innerText()).toContain('Grace changed this while you were editing: “Only the new project”')
    expect(await description.inputValue()).toBe('A new project, and a search')
    expect(
      await description.evaluate((field) => [
        field === document.activeElement,
        (field as HTMLTextAreaElement).selectionStart,
      ]),
    ).toEqual([true, 2])
    expect(await ada.dialog.getByLabel('Title').inputValue()).toBe('Draw all empty states')

    await ada.dialog.getByRole('button', { name: 'Keep mine' }).click()
    await theirs.waitFor({ state: 'detached' })
    await ada.save()
    await grace.open('Draw all empty states')
    await grace.until('what Ada wrote', async () => {
      return (await grace.dialog.getByLabel('Description').inputValue()) === 'A new project, and a search'
    })
    expectQuiet(ada, grace)
  })

  test("offer the other one's text, and keep what was typed of a task that is deleted", async ({ world }) => {
    const { ada, grace } = await both(world)
    await ada.open('Draw the empty states')
    await ada.dialog.getByLabel('Title').fill('Mine')
    await grace.open('Draw the empty states')
    await grace.dialog.getByLabel('Title').fill('Hers')
    await grace.save()
    await ada.dialog.getByRole('button', { name: 'Use theirs' }).click()
    expect(await ada.dialog.getByLabel('Title').inputValue()).toBe('Hers')

    await ada.dialog.getByLabel('Title').fill('Mine after all')
    await grace.open('Hers')
    await grace.dialog.getByRole('button', { name: 'Delete' }).click()
    await grace.dialog.getByRole('button', { name: 'Really delete' }).click()
    await ada.dialog.getByText('Grace deleted this task').waitFor()
    await ada.dialog.getByRole('button', { name: 'Add it anew' }).click()
    await grace.untilIn('To do', 'Mine after all')
    expectQuiet(ada, grace)
  })

  test('keep a title that is being typed for a new task', async ({ world }) => {
    const { ada, grace } = await both(world)
    const field = ada.page.getByRole('textbox', { name: 'New task in To do' })
    await field.fill('Half a tit')
    await grace.add('To do', 'Another one')
    await ada.untilIn('To do', 'Another one')
    await field.press('End')
    await field.pressSequentially('le')
    await field.press('Enter')
    await grace.untilIn('To do', 'Half a title')
  })

  test('both see the next task of a series, the one that completed the last one, too', async ({ world }) => {
    const { ada, grace } = await both(world)
    const title = 'Water the plants in the office'
    await ada
      .card(title)
      .getByRole('button', { name: `Complete “${title}”` })
      .click()
    for (const window of [ada, grace]) {
      await window.untilIn('Done', title)
      await window.untilIn('To do', title)
      expect(await window.card(title).count()).toBe(2)
    }
    // It was nobody's doing elsewhere.
    expect(await ada.page.locator('.card[data-fresh="true"]').count()).toBe(1)
    expect(await ada.page.locator('.card-who').count()).toBe(0)
    // It is filed as the last one was, for each in their own way.
    await ada
      .column('To do')
      .locator('.card', { has: ada.opener(title) })
      .getByText('Everyday')
      .waitFor()
    expectQuiet(ada, grace)
  })

  test('agree on the order, though both move tasks to the same place at once', async ({ world }) => {
    const { ada, grace } = await both(world)
    await Promise.all([
      ada.drag('Draw the empty states', ada.column('Doing').getByRole('heading')),
      grace.drag('Try the sign-up on an old phone', grace.column('Doing').getByRole('heading')),
    ])
    for (const window of [ada, grace]) {
      await window.untilIn('Doing', 'Draw the empty states')
      await window.untilIn('Doing', 'Try the sign-up on an old phone')
    }
    await ada.untilTitles('Doing', await grace.titles('Doing'))
    await ada.drag('Choose a name', ada.card((await ada.titles('Doing'))[1] ?? ''))
    await grace.untilIn('Doing', 'Choose a name')
    expect((await grace.titles('Doing')).indexOf('Choose a name')).toBe(1)
    expect(await ada.titles('Doing')).toEqual(await grace.titles('Doing'))
  })

  test('miss nothing that happens while everything is fetched', async ({ world }) => {
    const { origin } = await world.board()
    const grace = await enter(world, origin, 'Grace')
    const ada = await visit(world, origin)
    const gate = new Gate()
    await ada.page.route('**/api/tasks', async (route) => {
      const response = await route.fetch()
      await gate.opened
      await route.fulfill({ response })
    })
    await ada.page.getByRole('button', { name: 'Ada' }).click()
    await ada.untilLive()
    await grace.add('To do', 'In between')
    await ada.page.getByRole('log').getByText('Grace added “In between”').waitFor({ state: 'attached' })
    gate.open()
    await ada.untilIn('To do', 'In between')
    await ada.untilTitles('To do', await grace.titles('To do'))
  })

  test('have one stream each, and the page holds on to it', async ({ world }) => {
    const broker = await world.board()
    const streams: string[] = []
    const ada = await visit(world, broker.origin)
    ada.page.on('request', (request) => request.url().includes('/api/events') && streams.push(request.url()))
    await ada.page.getByRole('button', { name: 'Ada' }).click()
    await ada.untilLive()
    await ada.add('To do', 'Something')
    expect(streams).toHaveLength(1)
    expect(await broker.metric('streams')).toBe(1)
    await ada.page.getByRole('button', { name: 'Sign out' }).click()
    await ada.page.getByRole('button', { name: 'Grace' }).waitFor()
    await ada.until('the stream to end', async () => (await broker.metric('streams')) === 0)
  })
})

describe('a project', () => {
  test('appears for whom it is shared with, in the role that was given, and goes', async ({ world }) => {
    const { ada, grace } = await both(world)
    const { page } = ada
    await page.getByRole('textbox', { name: 'New project' }).fill('A secret')
    await page.getByRole('textbox', { name: 'New project' }).press('Enter')
    await page.getByRole('heading', { name: 'A secret', level: 1 }).waitFor()
    await ada.add('To do', 'Hidden until shared')

    await page.getByRole('button', { name: /^Share, members/ }).click()
    await ada.dialog.getByLabel('Who is to come in').selectOption('Grace')
    await ada.dialog.getByLabel('As what').selectOption('viewer')
    await ada.dialog.getByRole('button', { name: 'Share' }).click()
    await grace.page.getByRole('button', { name: /^A secret/ }).click()
    await grace.untilIn('To do', 'Hidden until shared')
    expect(await grace.page.getByRole('textbox', { name: /^New task/ }).count()).toBe(0)

    await ada.dialog.getByLabel('Role of Grace').selectOption('editor')
    await grace.add('To do', 'From Grace')
    await ada.untilIn('To do', 'From Grace')

    await ada.dialog.getByRole('button', { name: 'Take Grace out' }).click()
    await grace.page.getByRole('heading', { name: 'Launch week', level: 1 }).waitFor()
    expect(await grace.page.getByRole('button', { name: /^A secret/ }).count()).toBe(0)
    expectQuiet(ada, grace)
  })

  test('says why a change is refused, and takes it back', async ({ world }) => {
    const { ada } = await both(world)
    await ada.page.getByRole('button', { name: /^Share, members/ }).click()
    await ada.dialog.getByLabel('Role of Ada').selectOption('editor')
    await ada.page.getByText('was not saved: a project needs an owner').waitFor()
    await ada.until(
      'the role to be what it was',
      async () => (await ada.dialog.getByLabel('Role of Ada').inputValue()) === 'owner',
    )
  })
})

describe('labels and categories', () => {
  test('are for those alone who made them, in all of their windows', async ({ world }) => {
    const { ada, grace, origin } = await both(world)
    const phone = await enter(world, origin, 'Ada')
    await ada.page.getByRole('button', { name: 'Edit labels and categories' }).click()
    await ada.dialog.getByRole('textbox', { name: 'New label' }).fill('Urgent')
    await ada.dialog.getByLabel('Colour of the new label').selectOption('pink')
    await ada.dialog.getByRole('textbox', { name: 'New label' }).press('Enter')
    await ada.dialog.getByRole('textbox', { name: 'New category' }).fill('Home')
    await ada.dialog.getByRole('textbox', { name: 'New category' }).press('Enter')
    await ada.page.keyboard.press('Escape')

    await ada.open('Choose a name')
    await ada.dialog.getByRole('button', { name: 'Urgent' }).click()
    await ada.dialog.getByLabel('Category').selectOption('Home')
    await ada.save()
    for (const window of [ada, phone]) {
      await window.card('Choose a name').getByText('Urgent').waitFor()
      await window.card('Choose a name').getByText('Home').waitFor()
    }
    expect(await grace.page.getByText('Urgent').count()).toBe(0)

    await phone.page.getByRole('button', { name: 'Urgent', exact: true }).click()
    await phone.until('the others to be hidden', async () => (await phone.page.locator('.card').count()) === 1)
    expectQuiet(ada, grace, phone)
  })
})

describe('a category', () => {
  test('may be used before the server has named it', async ({ world }) => {
    const { ada } = await both(world)
    const gate = new Gate()
    await ada.page.route('**/api/categories', async (route) => {
      await gate.opened
      await route.continue()
    })
    await ada.page.getByRole('button', { name: 'Edit labels and categories' }).click()
    await ada.dialog.getByRole('textbox', { name: 'New category' }).fill('Home')
    await ada.dialog.getByRole('textbox', { name: 'New category' }).press('Enter')
    await ada.page.keyboard.press('Escape')
    await ada.open('Choose a name')
    const category = ada.dialog.getByLabel('Category')
    await category.selectOption('Home')
    expect(await category.inputValue()).toMatch(/^temp-/)
    gate.open()
    await ada.until('the name', async () => /^[0-9a-f]{8}-/.test(await category.inputValue()))
    await ada.save()
    await ada.card('Choose a name').getByText('Home').waitFor()
    await ada.page.reload()
    await ada.card('Choose a name').getByText('Home').waitFor()
    expectQuiet(ada)
  })
})

describe('a finger', () => {
  test('takes a task along when it has rested on it, and scrolls when it has not', async ({ world }) => {
    const { origin } = await world.board()
    const grace = await enter(world, origin, 'Grace')
    const ada = await enter(world, origin, 'Ada', { hasTouch: true })
    const finger = await Finger.on(ada)
    const title = 'Draw the empty states'
    const target = await centre(ada.column('Doing').getByRole('heading'))

    await finger.swipe(await centre(ada.card(title)), target)
    expect(await ada.page.locator('.ghost').count()).toBe(0)
    await ada.untilIn('To do', title)

    await finger.down(await centre(ada.card(title)))
    await ada.page.locator('.ghost').waitFor()
    await finger.move(target)
    await ada.column('Doing').locator('.gap').waitFor()
    await finger.up()
    await grace.untilIn('Doing', title)
    expect((await grace.titles('Doing'))[0]).toBe(title)
    expect(await ada.dialog.count()).toBe(0)
  })
})

describe('by keyboard alone', () => {
  test('a task is lifted, carried, put down and put back', async ({ world }) => {
    const { ada, grace } = await both(world)
    const { keyboard } = ada.page
    const title = 'Draw the empty states'
    const said = async (text: string): Promise<void> => ada.page.getByRole('status').getByText(text).waitFor()
    const before = await ada.titles('Doing')

    await ada.opener(title).focus()
    await keyboard.press('Space')
    await said('Lifted “Draw the empty states”: To do, 3 of 5.')
    await keyboard.press('ArrowRight')
    await said('Doing, 3 of 4')
    await keyboard.press('ArrowUp')
    await said('Doing, 2 of 4')
    expect(await ada.opener(title).evaluate((card) => card === document.activeElement)).toBe(true)
    expect(await grace.titles('Doing')).toEqual(before)
    await keyboard.press('Space')
    await said('Put down: Doing, 2 of 4.')
    await grace.untilTitles('Doing', [before[0] ?? '', title, ...before.slice(1)])
    expect(await ada.opener(title).evaluate((card) => card === document.activeElement)).toBe(true)

    await keyboard.press('Space')
    await keyboard.press('ArrowRight')
    await said('Done, 2 of 5')
    await keyboard.press('Escape')
    await said('Put back.')
    await ada.untilTitles('Doing', [before[0] ?? '', title, ...before.slice(1)])

    await keyboard.press('ArrowDown')
    expect(await ada.opener(before[1] ?? '').evaluate((card) => card === document.activeElement)).toBe(true)
    await keyboard.press('Enter')
    await ada.dialog.waitFor()
    await keyboard.press('Escape')
    await ada.dialog.waitFor({ state: 'detached' })
    expect(await ada.opener(before[1] ?? '').evaluate((card) => card === document.activeElement)).toBe(true)
  })

  test('a task that was lifted is let go when somebody else deletes it', async ({ world }) => {
    const { ada, grace } = await both(world)
    await ada.add('To do', 'Short-lived')
    await ada.opener('Short-lived').press(' ')
    await grace.open('Short-lived')
    await grace.dialog.getByRole('button', { name: 'Delete' }).click()
    await grace.dialog.getByRole('button', { name: 'Really delete' }).click()
    await ada.untilGone('Short-lived')
    const other = (await ada.titles('To do'))[0] ?? ''
    await ada.opener(other).press(' ')
    await ada.card(other).and(ada.page.locator('[data-lifted="true"]')).waitFor()
    expectQuiet(ada, grace)
  })

  test('the focus stays on a card that somebody else moves', async ({ world }) => {
    const { ada, grace } = await both(world)
    const title = 'Draw the empty states'
    await ada.opener(title).focus()
    await grace.drag(title, grace.column('Done').getByRole('heading'))
    await ada.untilIn('Done', title)
    expect(await ada.opener(title).evaluate((card) => card === document.activeElement)).toBe(true)
  })

  test('everything is reached, from signing in to adding a task', async ({ world }) => {
    const { origin } = await world.board()
    const ada = await visit(world, origin)
    const { keyboard } = ada.page
    await ada.page.getByRole('button', { name: 'Ada' }).waitFor()
    await keyboard.press('Tab')
    await keyboard.press('Enter')
    await ada.untilLive()
    const focused = async (): Promise<string> =>
      ada.page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? '')
    for (let tabs = 0; tabs < 60 && (await focused()) !== 'New task in To do'; tabs++) await keyboard.press('Tab')
    expect(await focused()).toBe('New task in To do')
    await keyboard.type('Typed')
    await keyboard.press('Enter')
    await ada.untilIn('To do', 'Typed')
  })
})
