// `test` with a check of the browser: an error or a warning in the browser fails the test.
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { test as base, expect, type Page } from '@playwright/test'

import { endpoints } from './stack'

export { expect }

interface Fixtures {
  /** Browser errors that a test causes on purpose, such as requests to a store that it stopped. */
  expectedErrors: RegExp[]
  /** Saves a screenshot of the page for manual inspection. */
  saveScreenshot: (name: string) => Promise<void>
}

export const test = base.extend<Fixtures>({
  expectedErrors: [[], { option: true }],
  // eslint-disable-next-line no-empty-pattern -- Playwright reads the fixture names from the pattern
  baseURL: async ({}, use) => {
    await use(endpoints().viewer)
  },
  page: async ({ page, expectedErrors }, use) => {
    const browserErrors: string[] = []
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') browserErrors.push(message.text())
    })
    page.on('pageerror', (error) => browserErrors.push(String(error)))
    await page.exposeFunction('reportViolation', (what: string) => browserErrors.push(`policy: ${what}`))
    await page.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) => {
        const { reportViolation } = window as unknown as { reportViolation: (what: string) => void }
        reportViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`)
      })
    })
    await use(page)
    const unexpected = browserErrors.filter((text) => !expectedErrors.some((pattern) => pattern.test(text)))
    expect(unexpected, 'the browser reports no error').toEqual([])
  },
  saveScreenshot: async ({ page }, use) => {
    await use(async (name) => {
      const path = join(import.meta.dirname, '../test-results/screenshots', `${name}.png`)
      await mkdir(dirname(path), { recursive: true })
      // Animations are finished first.
      await page.screenshot({ path, animations: 'disabled', fullPage: true })
    })
  },
})

/** The lines of votes, oldest first. */
export const voteLines = (page: Page) =>
  page.getByRole('region', { name: /vote lines/i }).getByRole('listitem')
