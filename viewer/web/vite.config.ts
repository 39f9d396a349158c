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
      // Messages become functions at build time: no compiler, and nothing that evaluates text, goes to the browser.
      runtimeOnly: true,
      compositionOnly: true,
      fullInstall: false,
      dropMessageCompiler: true,
    }),
    precompressed(),
  ],
  define: {
    // Components are written by one style only, and the page is not debugged where it is served.
    __VUE_OPTIONS_API__: false,
    __VUE_PROD_DEVTOOLS__: false,
    __INTLIFY_PROD_DEVTOOLS__: false,
  },
  build: {
    target: 'baseline-widely-available',
    // The policy of the page allows files of its own only: no data: address, no script in the page.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    // `npm run dev` against a stack that `make up` started.
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
