import { fileURLToPath } from 'node:url'

import vueI18n from '@intlify/unplugin-vue-i18n/vite'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

import { precompressed } from './scripts/precompressed.js'

const local = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  plugins: [
    vue(),
    vueI18n({
      include: [local('src/i18n/*.json')],
      // Messages are compiled at build time, so the browser needs no compiler and no evaluation of text.
      runtimeOnly: true,
      compositionOnly: true,
      fullInstall: false,
      dropMessageCompiler: true,
    }),
    precompressed(),
  ],
  define: {
    // The page uses only the Composition API, and the production build needs no devtools.
    __VUE_OPTIONS_API__: false,
    __VUE_PROD_DEVTOOLS__: false,
    __INTLIFY_PROD_DEVTOOLS__: false,
  },
  build: {
    target: 'baseline-widely-available',
    // The page's security policy allows only its own files: no data: URLs and no inline scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    // `npm run dev` uses the stack of `make up`.
    proxy: {
      '/api': 'http://127.0.0.1:8090',
      '/reports': 'http://127.0.0.1:8090',
    },
  },
  test: {
    environment: 'happy-dom',
    include: ['tests/**/*.test.ts'],
    restoreMocks: true,
  },
})
