import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

import { backend, prometheusProxy } from './server/backend.ts'
import { licences } from './server/licences.ts'

export default defineConfig({
  plugins: [react(), backend(), licences()],
  server: { proxy: prometheusProxy },
  preview: { proxy: prometheusProxy },
  build: {
    target: 'baseline-widely-available',
    // The page is served only on this machine, so its size does not matter.
    chunkSizeWarningLimit: 20_000,
    reportCompressedSize: false,
    // @grafana/plugin-compat imports functions of several versions of @grafana/runtime and uses those that exist.
    rolldownOptions: {
      shimMissingExports: true,
      onLog: (level, log, report) => {
        if (log.code !== 'SHIMMED_EXPORT') report(level, log)
      },
    },
  },
})
