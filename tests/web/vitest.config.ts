import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

/** The client as it was built, with the React of these tests. */
export const resolve = {
  alias: {
    'pillar-client/react': path('../../src/client/dist/react.js'),
    'pillar-client': path('../../src/client/dist/index.js'),
  },
  dedupe: ['react', 'react-dom'],
}

export default defineConfig({
  resolve,
  esbuild: { jsx: 'automatic' },
  test: {
    // Each spec has a browser and brokers of its own: one at a time leaves them the machine.
    fileParallelism: false,
    cache: false,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
