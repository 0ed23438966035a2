import { defineConfig } from 'vite'

// For `npm run dev` beside a broker that serves the API.
const broker = 'http://127.0.0.1:8080'

export default defineConfig({
  base: './',
  publicDir: 'static',
  resolve: { dedupe: ['react', 'react-dom'] },
  esbuild: { jsx: 'automatic' },
  build: { outDir: '../public', emptyOutDir: true, target: 'es2022' },
  server: { proxy: { '/api': broker } },
})
