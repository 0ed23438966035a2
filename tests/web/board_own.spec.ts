// What the page makes of one's own changes that come back to it, and of being told to fetch everything anew.
import { describe, expect } from 'vitest'
import { enter, expectQuiet, type BoardWindow } from './support/board.js'
import { test } from './support/world.js'

const fresh = ({ page }: BoardWindow) => page.locator('.card[data-fresh="true"]')

/** Everything that happened before is shown once this is. */
async function untilTold(window: BoardWindow, other: BoardWindow, title: string): Promise<void> {
  await other.add('Done', title)
  await window.untilIn('Done', title)
}

describe('a change of one’s own', () => {
  test('that was sent after a reload is no news', async ({ world }) => {
    const { origin } = await world.board()
    const ada = await enter(world, origin, 'Ada')
    const grace = await enter(world, origin, 'Grace')
    const isChange = (method: string): boolean => method !== 'GET'
    let isDown = true
    await ada.page.route('**/api/tasks**', (route) =>
      isDown && isChange(route.request().method()) ? route.abort() : route.continue(),
    )
    await ada.add('To do', 'Before the reload')
    await ada.card('Before the reload').getByText('waits to be sent').waitFor()
    isDown = false
    await ada.page.reload()
    await grace.untilIn('To do', 'Before the reload')
    await untilTold(ada, grace, 'Afterwards')
    expect(await fresh(ada).locator('.card-open').allInnerTexts()).toEqual(['Afterwards'])
    expect(await ada.card('Before the reload').count()).toBe(1)
    expect(await ada.page.getByRole('log').innerText()).not.toContain('Before the reload')
    expectQuiet(ada, grace)
  })

  test('on another device is shown as such', async ({ world }) => {
    const { origin } = await world.board()
    const ada = await enter(world, origin, 'Ada')
    const phone = await enter(world, origin, 'Ada')
    await phone.add('To do', 'From the phone')
    await ada.untilIn('To do', 'From the phone')
    expect(await ada.card('From the phone').getAttribute('data-fresh')).toBe('true')
    expect(await ada.card('From the phone').locator('.card-who').innerText()).toBe('You, elsewhere')
    await ada.page.getByRole('log').getByText('You, elsewhere, added “From the phone”').waitFor({ state: 'attached' })
    expect(await fresh(phone).count()).toBe(0)
  })
})

describe('fetching everything anew', () => {
  test('leaves what has not changed alone: elements, focus, what is typed, what is open', async ({ world }) => {
    const { origin } = await world.board()
    const ada = await enter(world, origin, 'Ada')
    const grace = await enter(world, origin, 'Grace')
    const { page } = ada
    // The stream comes back with a position that the broker cannot read.
    await page.route('**/api/events*', (route) =>
      route.continue({ headers: { ...route.request().headers(), 'last-event-id': 'none of mine' } }),
    )
    const resync = async (): Promise<void> => {
      const told = page.evaluate(
        () =>
          new Promise<string>((tell) =>
            addEventListener('pillar:resync', (e) => tell(e.detail.reason), { once: true }),
          ),
      )
      const fetched = page.waitForResponse('**/api/marks')
      await page.context().setOffline(true)
      await page.locator('.status[data-status="offline"]').waitFor()
      await page.context().setOffline(false)
      expect(await told).toBe('malformed')
      await (await fetched).finished()
      await ada.untilLive()
    }
    await ada.opener('Draw the empty states').focus()
    await page.evaluate(() => {
      const seen: string[] = []
      const note = (records: MutationRecord[]): void => {
        for (const { type, target, removedNodes } of records) {
          if (type === 'attributes' || removedNodes.length > 0) seen.push(`${type} ${target.textContent}`)
        }
      }
      const what = { childList: true, subtree: true, attributeFilter: ['data-fresh'] }
      document.querySelectorAll('.columns, .sidebar').forEach((part) => new MutationObserver(note).observe(part, what))
      Object.assign(window, { mutations: seen })
    })
    await resync()
    await resync()
    await untilTold(ada, grace, 'Once')
    const mutations = await page.evaluate(() => ('mutations' in window ? window.mutations : undefined))
    expect(mutations).toEqual([])
    expect(await ada.opener('Draw the empty states').evaluate((card) => card === document.activeElement)).toBe(true)

    await ada.open('Draw the empty states')
    const title = ada.dialog.getByLabel('Title')
    await title.fill('Half a tit')
    await resync()
    await untilTold(ada, grace, 'Twice')
    await title.pressSequentially('le')
    expect(await title.inputValue()).toBe('Half a title')
    expectQuiet(ada, grace)
  })
})
