// Builds dist/: modules for bundlers with their types, and pillar.js, all of it in one file with what it needs. Fails when
// that, or the part of it that every page has, outgrows what it may have.
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { minify } from 'terser'

/** Bytes, minified, compressed, and with eventsource-parser and idb as far as they are used. */
const LIMITS = {
  /** createSync: the stream, shared by all tabs. */
  core: 8000,
  /** The core and the offline queue. */
  whole: 11_000,
}

process.chdir(fileURLToPath(new URL('.', import.meta.url)))
rmSync('dist', { recursive: true, force: true })

const common = { bundle: true, format: 'esm', target: 'es2022', logLevel: 'warning' }

/** All that is needed for what a module exports. */
async function minified(contents) {
  const stdin = { contents, resolveDir: 'src', loader: 'ts' }
  const { outputFiles } = await build({ ...common, stdin, write: false })
  // terser makes 4 % less of it than esbuild does.
  const { code } = await minify(outputFiles[0].text, { module: true, ecma: 2020, compress: { passes: 3 } })
  return code
}

function measure(name, code) {
  const size = gzipSync(code, { level: 9 }).length
  console.log(`pillar-client, ${name}: ${size} bytes, minified and compressed; ${LIMITS[name]} at most`)
  if (size > LIMITS[name]) process.exitCode = 1
}

await build({
  ...common,
  entryPoints: ['src/index.ts', 'src/react.tsx'],
  outdir: 'dist',
  splitting: true,
  packages: 'external',
  sourcemap: true,
})
const whole = await minified(`export * from './index.js'`)
writeFileSync('dist/pillar.js', whole)
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '--emitDeclarationOnly'], { stdio: 'inherit' })

measure('core', await minified(`export { createSync } from './index.js'`))
measure('whole', whole)
