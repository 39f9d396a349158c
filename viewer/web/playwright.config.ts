import { defineConfig } from '@playwright/test'

/** Debian's Chromium, unless CHROMIUM names another one. */
const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium'

export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results/failures',
  globalSetup: './e2e/stack.ts',
  // All tests share one stack and its votes, so they run one at a time.
  workers: 1,
  fullyParallel: false,
  forbidOnly: true,
  timeout: 45_000,
  globalTimeout: 6 * 60_000,
  // A vote needs time to pass through Kafka into the stores, especially on a busy machine.
  expect: { timeout: 10_000 },
  reporter: [['list']],
  use: {
    locale: 'en-GB',
    timezoneId: 'America/Guatemala',
    viewport: { width: 1280, height: 900 },
    colorScheme: 'light',
    screenshot: 'only-on-failure',
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: chromium,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
})
