// Puts apps/react into a page, as a bundler would: with React's development build, where StrictMode mounts twice.
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { build } from 'vite'
import { resolve } from '../vitest.config.js'

const entry = fileURLToPath(new URL('../apps/react/page.tsx', import.meta.url))

async function bundle(): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: 'silent',
    mode: 'development',
    define: { 'process.env.NODE_ENV': '"development"' },
    resolve,
    esbuild: { jsx: 'automatic' },
    build: { write: false, minify: false, lib: { entry, formats: ['iife'], name: 'page', fileName: 'page' } },
  })
  const [result] = [built].flat()
  if (!result || !('output' in result)) throw new Error('vite has built nothing')
  return result.output[0].code
}

let bundled: Promise<string> | undefined

export async function addReact(page: Page): Promise<void> {
  await page.addScriptTag({ content: await (bundled ??= bundle()) })
}
