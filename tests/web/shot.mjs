import { chromium } from 'playwright-core'
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-dev-shm-usage'] })
const out = '/tmp/d1-run/'
const base = 'http://127.0.0.1:8471/'
async function visit(name, options, work) {
  const context = await browser.newContext(options)
  const page = await context.newPage()
  page.on('console', (m) => ['error','warning'].includes(m.type()) && console.log(name, m.text()))
  page.on('pageerror', (e) => console.log(name, 'ERR', e.stack))
  await page.goto(base)
  await work(page)
  await context.close()
}
const shot = (page, name) => page.screenshot({ path: out + name + '.png' })
async function signIn(page, who) { await page.getByRole('button', { name: who }).click(); await page.waitForSelector('.card'); await page.waitForSelector('[data-status=live]') }
const wide = { viewport: { width: 1360, height: 820 } }
const only = process.argv[2]
const scenes = {
  async light() { await visit('light', wide, async (page) => { await page.waitForSelector('.person'); await shot(page, 'signin'); await signIn(page, 'Ada'); await shot(page, 'light') 
    await page.getByRole('button', { name: 'Write the launch announcement', exact: true }).click(); await page.waitForTimeout(300); await shot(page, 'dialog'); await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Members and settings' }).click(); await page.waitForTimeout(300); await shot(page, 'project'); await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Edit labels' }).click(); await page.waitForTimeout(300); await shot(page, 'marks'); await page.keyboard.press('Escape')
  }) },
  async dark() { await visit('dark', { ...wide, colorScheme: 'dark' }, async (page) => { await signIn(page, 'Grace'); await shot(page, 'dark'); await page.getByRole('button', { name: 'Water the plants in the office', exact: true }).click(); await page.waitForTimeout(300); await shot(page, 'dialog-dark') }) },
  async phone() { await visit('phone', { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true }, async (page) => { await signIn(page, 'Linus'); await shot(page, 'phone'); await page.getByRole('button', { name: 'Projects and labels' }).click(); await page.waitForTimeout(400); await shot(page, 'phone-menu'); await page.keyboard.press('Escape'); await page.waitForTimeout(400); await page.getByRole('button', { name: 'Draw the empty states', exact: true }).click(); await page.waitForTimeout(300); await shot(page, 'phone-dialog') }) },
}
for (const [name, run] of Object.entries(scenes)) if (!only || only === name) await run().catch((e) => console.log(name, e.message))
await browser.close()
