// Takes a picture of each dashboard on a running stack under load. Fails on a panel with an error or without data, on
// text that is cut off, and on an error of the browser.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test, type Page } from '@playwright/test'

import { findCutOffText, watchCanvases } from './cutoff'

const BOARDS = ['dualpath-latency', 'dualpath-tallies', 'dualpath-pipeline']
/** Each dashboard in the light theme, and the name of its picture; the theme is the same for all, so one is dark too. */
const PICTURES: [board: string, theme: string, picture: string][] = [
  ...BOARDS.map((uid): [string, string, string] => [uid, 'light', uid]),
  ['dualpath-latency', 'dark', 'dualpath-latency-dark'],
]
const ROUTES = ['bridge', 'grpc', 'rest']
/** The panels that must be empty, with the reason. */
const EXPECTED_EMPTY = new Map([['Alerts over time', 'no alert fires on a healthy stack']])

/** A panel of the JSON of a dashboard, as far as the tests read it. */
interface PanelJson {
  id: number
  type: string
  title: string
  repeat?: string
}

const folder = join(import.meta.dirname, '../test-results/pictures')
/** The time range: the load runs at least this long before the tests. */
const range = process.env.PREVIEW_FROM ?? 'now-2m'

for (const [uid, theme, picture] of PICTURES) {
  test(`every panel of ${uid} in the ${theme} theme shows its data in full`, async ({ page }) => {
    const errors = collectErrors(page)
    await watchCanvases(page)
    // Without refreshes, the panels stay as they are while the test reads them.
    await page.goto(
      `/?${new URLSearchParams({ board: uid, theme, from: range, to: 'now', refresh: '' }).toString()}`,
    )
    await expect(page.locator('main, [role=alert]').first()).toBeVisible()
    expect(await page.getByRole('alert').allTextContents(), 'errors of the page').toEqual([])
    await expect(page.getByText('not Grafana')).toBeVisible()
    for (const [key, title] of expectedPanels(uid)) await checkPanel(page, key, title)
    await page.screenshot({ path: join(folder, `${picture}-first-screen.png`), animations: 'disabled' })
    await showWholePage(page)
    await page.screenshot({ path: join(folder, `${picture}.png`), animations: 'disabled' })
    expect(await findCutOffText(page), 'text that is cut off').toEqual([])
    expect(errors, 'errors of the browser').toEqual([])
  })
}

/** Returns the key and the title of each panel that the page must show, including the copies of repeated panels. */
function expectedPanels(uid: string): [string, string][] {
  const path = join(import.meta.dirname, `../../dashboards/${uid}.json`)
  const { panels } = JSON.parse(readFileSync(path, 'utf8')) as { panels: PanelJson[] }
  return panels
    .filter(({ type }) => type !== 'row')
    .flatMap(({ id, title, repeat }) =>
      repeat === undefined
        ? [[`panel-${String(id)}`, title]]
        : ROUTES.map((route): [string, string] => [
            `panel-${String(id)}-${route}`,
            title.replace('$route', route),
          ]),
    )
}

async function checkPanel(page: Page, key: string, title: string): Promise<void> {
  const panel = page.locator(`[data-viz-panel-key="${key}"]`)
  const empty = panel.locator('[data-empty]')
  const failed = panel.getByTestId(/Panel status error|Alert error/)
  await expect(
    panel.locator('[data-drawn] > *').or(empty).or(failed).first(),
    `${title} is drawn`,
  ).toBeAttached()
  await expect(failed, `${title} has no error`).toHaveCount(0)
  await expect(empty, EXPECTED_EMPTY.get(title) ?? `${title} has data`).toHaveCount(
    EXPECTED_EMPTY.has(title) ? 1 : 0,
  )
}

/** Makes the window as high as the page, so that the picture contains everything. */
async function showWholePage(page: Page): Promise<void> {
  const height = await page.evaluate(() => document.documentElement.scrollHeight)
  await page.setViewportSize({ width: page.viewportSize()?.width ?? 1600, height })
  await page.waitForTimeout(500)
}

function collectErrors(page: Page): string[] {
  const errors: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text())
  })
  page.on('pageerror', (error) => errors.push(String(error)))
  return errors
}
