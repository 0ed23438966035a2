// Builds dist/: modules for bundlers with their types, and pillar.js, the core with all that it needs in one file. Fails when
// that one outgrows what it may have.
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const LIMIT_BYTES = 8000

process.chdir(fileURLToPath(new URL('.', import.meta.url)))
rmSync('dist', { recursive: true, force: true })

const common = { bundle: true, format: 'esm', target: 'es2022', logLevel: 'warning' }
await build({
  ...common,
  entryPoints: ['src/index.ts', 'src/react.tsx'],
  outdir: 'dist',
  splitting: true,
  packages: 'external',
  sourcemap: true,
})
await build({ ...common, entryPoints: { pillar: 'src/index.ts' }, outdir: 'dist', minify: true, legalComments: 'none' })
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '--emitDeclarationOnly'], { stdio: 'inherit' })

const size = gzipSync(readFileSync('dist/pillar.js'), { level: 9 }).length
console.log(`dist/pillar.js: ${size} bytes, minified and compressed`)
if (size > LIMIT_BYTES) {
  console.error(`more than the ${LIMIT_BYTES} that it may have`)
  process.exit(1)
}
