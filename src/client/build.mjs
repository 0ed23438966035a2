// Builds dist/: modules for bundlers with their types, and pillar.js, the core with all that it needs in one file. Fails when
// that one outgrows what it may have.
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { minify } from 'terser'

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
const whole = await build({ ...common, entryPoints: ['src/index.ts'], write: false })
// terser makes 4 % less of it than esbuild does.
const { code } = await minify(whole.outputFiles[0].text, { module: true, ecma: 2020, compress: { passes: 3 } })
writeFileSync('dist/pillar.js', code)
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '--emitDeclarationOnly'], { stdio: 'inherit' })

const size = gzipSync(code, { level: 9 }).length
console.log(`dist/pillar.js: ${size} bytes, minified and compressed`)
if (size > LIMIT_BYTES) {
  console.error(`more than the ${LIMIT_BYTES} that it may have`)
  process.exit(1)
}
