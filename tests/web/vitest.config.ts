import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // Each spec has a browser and brokers of its own: one at a time leaves them the machine.
    fileParallelism: false,
    cache: false,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
