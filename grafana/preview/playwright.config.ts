import { defineConfig } from '@playwright/test'

/** Debian's Chromium, unless CHROMIUM names another one. */
const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium'
const port = process.env.PREVIEW_PORT ?? '4173'
const url = `http://127.0.0.1:${port}`

export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results/failures',
  // The tests share two cores with the stack and its load.
  workers: 1,
  forbidOnly: true,
  timeout: 60_000,
  expect: { timeout: 20_000 },
  reporter: [['list']],
  // The server passes PROMETHEUS_URL and REDIS_URL on.
  webServer: { command: `npm run --silent serve -- --host 127.0.0.1 --port ${port} --strictPort`, url },
  use: {
    baseURL: url,
    locale: 'en-GB',
    timezoneId: 'UTC',
    viewport: { width: 1600, height: 1000 },
    launchOptions: {
      executablePath: chromium,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        // Grey edges of letters make smaller pictures.
        '--disable-lcd-text',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
})
