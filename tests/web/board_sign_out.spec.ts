// Signing out of the task board: it is not pretended, and does not lose what waits.
import { describe, expect } from 'vitest'
import { enter, expectQuiet, type BoardWindow } from './support/board.js'
import { expectAccessible } from './support/looks.js'
import { test } from './support/world.js'

async function goOffline({ page }: BoardWindow): Promise<void> {
  await page.context().setOffline(true)
  await page.locator('.status[data-status="offline"]').waitFor()
}

const signOut = async ({ page }: BoardWindow): Promise<void> => page.getByRole('button', { name: 'Sign out' }).click()

describe('signing out', () => {
  test('needs the network, and says so, and how much waits', async ({ world }) => {
    const { origin } = await world.board()
    const ada = await enter(world, origin, 'Ada')
    const notice = ada.page.locator('.notice')
    await goOffline(ada)
    await signOut(ada)
    await notice.getByText('You are still signed in: signing out needs the network.').waitFor()
    await notice.getByRole('button', { name: 'Dismiss' }).click()
    await ada.add('To do', 'One')
    await ada.add('To do', 'Two')
    await signOut(ada)
    await notice.getByText('2 changes have not been sent yet, and will be when you are back.').waitFor()
    await ada.untilIn('To do', 'Two')
    await ada.page.context().setOffline(false)
    await ada.untilLive()
    await signOut(ada)
    await ada.page.getByRole('button', { name: 'Grace' }).waitFor()
    await ada.page.reload()
    await ada.page.getByRole('button', { name: 'Grace' }).waitFor()
    expectQuiet(ada)
  })

  test('is not pretended when the server does not answer', async ({ world }) => {
    const { origin } = await world.board()
    const ada = await enter(world, origin, 'Ada')
    await ada.page.route('**/api/logout', (route) => route.abort())
    await signOut(ada)
    await ada.page.locator('.notice').getByText('signing out needs the network').waitFor()
    await ada.add('To do', 'Still here')
    expectQuiet(ada)
  })

  test('is asked about while changes wait, which are kept, and sent as nobody else', async ({ world }) => {
    const { origin } = await world.board()
    const ada = await enter(world, origin, 'Ada')
    await ada.page.route('**/api/tasks', (route) =>
      route.request().method() === 'POST' ? route.abort() : route.continue(),
    )
    await ada.add('To do', 'Kept')
    await signOut(ada)
    await ada.dialog.getByText('1 change has not been sent yet').waitFor()
    await expectAccessible(ada)
    await ada.dialog.getByRole('button', { name: 'Stay' }).click()
    await ada.untilIn('To do', 'Kept')
    await signOut(ada)
    await ada.dialog.getByRole('button', { name: 'Sign out' }).click()
    await ada.page.getByRole('button', { name: 'Grace' }).waitFor()
    await ada.page.unroute('**/api/tasks')

    await ada.page.getByRole('button', { name: 'Grace' }).click()
    await ada.untilLive()
    expect(await ada.card('Kept').count()).toBe(0)
    await signOut(ada)
    await ada.page.getByRole('button', { name: 'Ada' }).click()
    const grace = await enter(world, origin, 'Grace')
    await grace.untilIn('To do', 'Kept')
    expect(await grace.card('Kept').count()).toBe(1)
  })
})
