// `test` with a watch on the browser: what it complains about fails the test that caused it.
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { test as base, expect, type Page } from '@playwright/test'

import { endpoints } from './stack'

export { expect }

interface Fixtures {
  /** Complaints that a test brings about on purpose, such as requests to a store that it has stopped. */
  forgiven: RegExp[]
  /** Keeps what the page looks like, for people to look at. */
  picture: (name: string) => Promise<void>
}

export const test = base.extend<Fixtures>({
  forgiven: [[], { option: true }],
  // eslint-disable-next-line no-empty-pattern -- Playwright reads the fixtures off the pattern
  baseURL: async ({}, use) => {
    await use(endpoints().viewer)
  },
  page: async ({ page, forgiven }, use) => {
    const complaints: string[] = []
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(String(error)))
    await page.exposeFunction('reportViolation', (what: string) => complaints.push(`policy: ${what}`))
    await page.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) => {
        const { reportViolation } = window as unknown as { reportViolation: (what: string) => void }
        reportViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`)
      })
    })
    await use(page)
    const unforgiven = complaints.filter((text) => !forgiven.some((pattern) => pattern.test(text)))
    expect(unforgiven, 'the browser has nothing to complain about').toEqual([])
  },
  picture: async ({ page }, use) => {
    await use(async (name) => {
      const path = join(import.meta.dirname, '../test-results/pictures', `${name}.png`)
      await mkdir(dirname(path), { recursive: true })
      // Moving parts come to rest first.
      await page.screenshot({ path, animations: 'disabled', fullPage: true })
    })
  },
})

/** The lines of votes, oldest first. */
export const voteLines = (page: Page) =>
  page.getByRole('region', { name: /vote lines/i }).getByRole('listitem')
