// What the client's README shows works as it stands there.
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect } from 'vitest'
import { until } from './support/wait.js'
import { test } from './support/world.js'

const here = fileURLToPath(new URL('.', import.meta.url))

/** The blocks of one language. */
async function blocks(language: string): Promise<string[]> {
  const text = await readFile(join(here, '../../src/client/README.md'), 'utf8')
  return [...text.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))].map(([, block = '']) => block)
}

describe("the client's README", () => {
  test('has a page of ten lines that shows what others do', async ({ world }) => {
    const { origin } = await world.board()
    const [html = ''] = await blocks('html')
    const context = await world.context()
    const api = async (path: string, user: string, data: object): Promise<Record<string, unknown>> => {
      const response = await context.request.post(origin + path, { data, headers: { 'X-Demo-User': user } })
      return (await response.json()) as Record<string, unknown>
    }
    await api('/api/login', 'ada', { user: 'ada' })
    const project = await api('/api/projects', 'ada', { name: 'Ten lines' })
    await api(`/api/projects/${project['id']}/members`, 'ada', { userId: 'grace', role: 'editor' })
    const add = (title: string): Promise<unknown> => api('/api/tasks', 'grace', { projectId: project['id'], title })
    await add('there already')

    const page = await context.newPage()
    await page.route(`${origin}/ten-lines`, (route) => route.fulfill({ contentType: 'text/html', body: html }))
    await page.goto(`${origin}/ten-lines`)
    await page.locator('li', { hasText: 'there already' }).waitFor()
    await add('one')
    await add('two')
    const shown = async (): Promise<string> => (await page.locator('li').allInnerTexts()).join()
    await until('both tasks', async () => (await shown()) === 'there already,one,two', shown)
  })

  test('has code in React that the compiler takes', async () => {
    const dir = await mkdtemp(join(here, 'apps/react/readme-'))
    try {
      const sources = await blocks('tsx')
      expect(sources.length).toBeGreaterThan(0)
      for (const [at, source] of sources.entries()) await writeFile(join(dir, `${at}.tsx`), source)
      const config = { extends: '../../../tsconfig.json', include: ['*.tsx'] }
      await writeFile(join(dir, 'tsconfig.json'), JSON.stringify(config))
      const tsc = join(here, 'node_modules/typescript/bin/tsc')
      const { stdout } = await promisify(execFile)(process.execPath, [tsc, '-p', dir]).catch((problem) => problem)
      expect(stdout).toBe('')
    } finally {
      await rm(dir, { recursive: true })
    }
  })
})
