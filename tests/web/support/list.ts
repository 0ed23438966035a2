// A tab in which somebody looks at the shared list of examples/quickstart.
import type { BrowserContext, Locator, Page } from 'playwright-core'
import { expect } from 'vitest'
import { until } from './wait.js'

interface Row {
  id: string
  title: string
  done: boolean
}

/** What the server has. */
export async function rowsOf({ origin }: { origin: string }): Promise<Row[]> {
  return (await (await fetch(`${origin}/api/items?user=test`)).json()) as Row[]
}

export class ListTab {
  /** What the page threw. */
  readonly problems: string[] = []

  private constructor(readonly page: Page) {
    page.setDefaultTimeout(5_000)
    page.on('pageerror', (problem) => this.problems.push(String(problem)))
  }

  static async open(context: BrowserContext, origin: string, user: string): Promise<ListTab> {
    const tab = new ListTab(await context.newPage())
    await tab.page.goto(`${origin}/?user=${encodeURIComponent(user)}`)
    await tab.untilStatus('Live')
    return tab
  }

  get items(): Locator {
    return this.page.getByRole('list', { name: 'Items' }).getByRole('listitem')
  }

  get failures(): Locator {
    return this.page.getByRole('list', { name: 'Changes that were not made' }).getByRole('listitem')
  }

  box(title: string): Locator {
    return this.page.getByRole('checkbox', { name: title, exact: true })
  }

  field(title: string): Locator {
    return this.page.getByRole('textbox', { name: `Title of ${title}` })
  }

  async add(title: string): Promise<void> {
    await this.page.getByRole('textbox', { name: 'New item' }).fill(title)
    await this.page.getByRole('button', { name: 'Add' }).click()
  }

  async remove(title: string): Promise<void> {
    await this.page.getByRole('button', { name: `Remove ${title}`, exact: true }).click()
  }

  async rename(title: string, to: string): Promise<void> {
    await this.field(title).fill(to)
    await this.page.keyboard.press('Enter')
  }

  /** What is shown: titles, ticked ones with a "+", waiting ones with a "…". */
  async shown(): Promise<string> {
    const rows = await this.items.evaluateAll((all) =>
      all.map((li) => {
        const [done, title] = Array.from(li.querySelectorAll('input'))
        const waits = Array.from(li.children).some((one) => one.textContent === 'waiting' && one.checkVisibility())
        return `${title?.value}${done?.checked ? '+' : ''}${waits ? '…' : ''}`
      }),
    )
    return rows.join(' ')
  }

  /** Looks at the page, which ends the pauses of its stream and its queue. */
  async look(): Promise<void> {
    await this.page.evaluate(() => dispatchEvent(new Event('focus')))
  }

  async untilShown(rows: string): Promise<void> {
    await until(
      rows,
      async () => (await this.shown()) === rows,
      () => this.shown(),
    )
  }

  async untilStatus(text: string): Promise<void> {
    await this.page.locator('#status', { hasText: new RegExp(`^${text}$`) }).waitFor()
  }

  /** Notes from now on each title that is shown twice at a time, and each that goes away. */
  async watch(): Promise<void> {
    await this.page.evaluate(() => {
      const seen = { twice: new Set<string>(), gone: new Set<string>() }
      Object.assign(window, { seen })
      const list = document.querySelector('#items')
      const titles = (): string[] =>
        Array.from(list?.querySelectorAll('input.title') ?? []).map((one) => one.ariaLabel ?? '')
      let before = titles()
      const look = (): void => {
        const now = titles()
        now.filter((title, at) => now.indexOf(title) !== at).forEach((title) => seen.twice.add(title))
        before.filter((title) => !now.includes(title)).forEach((title) => seen.gone.add(title))
        before = now
      }
      if (list) new MutationObserver(look).observe(list, { childList: true })
    })
  }

  async expectSteady(): Promise<void> {
    const seen = await this.page.evaluate(() => {
      const { twice, gone } = (window as unknown as { seen: { twice: Set<string>; gone: Set<string> } }).seen
      return { twice: [...twice], gone: [...gone] }
    })
    expect(seen).toEqual({ twice: [], gone: [] })
  }
}
