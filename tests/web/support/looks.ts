// What the board looks like: pictures for people to look at, and what axe-core finds.
import { mkdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'

const folder =
  process.env['PILLAR_SCREENSHOTS'] ?? fileURLToPath(new URL('../../../build/screenshots', import.meta.url))

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

declare global {
  interface Window {
    axe: { run(): Promise<AxeResults> }
  }
}

export async function picture({ page }: { page: Page }, name: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled' })
}

/** Fails if axe-core finds anything that is serious, or worse. */
export async function expectAccessible({ page }: { page: Page }): Promise<void> {
  if (!(await page.evaluate(() => 'axe' in window))) await page.addScriptTag({ path: axe })
  const { violations } = await page.evaluate(() => window.axe.run())
  const bad = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
  expect(bad.map(({ id, help, nodes }) => ({ id, help, at: nodes.map(({ html }) => html) }))).toEqual([])
}

/** Fails if something is wider than the window. */
export async function expectNoOverflow({ page }: { page: Page }): Promise<void> {
  const [content, window_] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth])
  expect(content).toBeLessThanOrEqual(window_ ?? 0)
}
