import { startViewerWithMongodbOnly, endpoints } from './stack'
import { expect, test, voteLines } from './fixtures'
import { castByGrpc, castMany, readVotes } from './votes'

test('tallies are updated as votes are counted', async ({ page, saveScreenshot }) => {
  await page.goto('/tallies')
  const total = page.locator('.total strong')
  await expect(total).toHaveText(/^[\d,]+$/)
  const number = async () => Number((await total.innerText()).replaceAll(',', ''))
  const before = await number()
  expect(before).toBeGreaterThanOrEqual(240)
  const bands = page.getByRole('table').nth(1)
  await expect(bands.getByRole('row')).toHaveCount(11)
  const top = page.getByRole('group', { name: 'Show the top' })
  const routes = page.getByRole('table').first()
  const grpc = routes.getByRole('row', { name: /grpc/ }).getByRole('cell').first()
  const grpcVotes = Number((await grpc.innerText()).replaceAll(',', ''))
  await castByGrpc(endpoints().ingress, { name: 'Contada', album: 'Uno', year: '2026', rank: '1' })
  await expect.poll(number).toBe(before + 1)
  await expect(grpc).toHaveText(String(grpcVotes + 1))
  await top.getByText('25', { exact: true }).click()
  await expect(bands.getByRole('row')).not.toHaveCount(11)
  await top.getByText('10', { exact: true }).click()
  await expect(bands.getByRole('row')).toHaveCount(11)
  await saveScreenshot('tallies-light')
})

test('the comparison shows figures, curves and stages of each route, and a disclaimer', async ({
  page,
  saveScreenshot,
}) => {
  // Rates need votes over several scrapes.
  const votes = await readVotes(60)
  for (let round = 0; round < 12; round += 1) {
    await castMany(endpoints().ingress, votes)
    await page.waitForTimeout(500)
  }
  await page.goto('/compare?window=1m')
  await expect(page.getByText('These figures are not a benchmark.')).toBeVisible()
  const figures = page.getByRole('group', { name: /Latency, throughput/ })
  for (const route of ['rest', 'grpc', 'bridge']) {
    const cells = figures.getByRole('row', { name: route }).getByRole('cell')
    for (const column of [0, 1, 2, 3]) await expect(cells.nth(column)).toHaveText(/^[\d.,]*[1-9][\d.,]*$/)
    await expect(cells.nth(4)).toHaveText('0')
  }
  const stages = page.getByRole('group', { name: 'Time per stage' })
  await expect(stages.getByRole('row', { name: /^sum/ }).getByRole('cell').last()).toHaveText(/[1-9]/)
  await expect(page.locator('.canvas canvas')).toBeVisible()
  expect(await paintedPixels(page.locator('.canvas canvas'))).toBeGreaterThan(500)

  await page.getByText('votes/s', { exact: true }).click()
  await expect(page.locator('figcaption')).toContainText('Votes per second')
  await page.getByText('The plot as a table').click()
  const table = page.getByRole('group', { name: 'The plot as a table' })
  await expect(table.getByRole('cell').filter({ hasText: /[1-9]/ }).first()).toBeVisible()
  await page.getByText('The plot as a table').click()
  await page.getByText('p95', { exact: true }).click()
  await saveScreenshot('compare-light')
  await page.getByText('15 min').click()
  await expect(page).toHaveURL(/window=15m/)
  await expect(figures.getByRole('row', { name: 'rest' }).getByRole('cell').first()).toHaveText(/[1-9]/)
})

/** The number of painted pixels of a canvas. */
async function paintedPixels(canvas: import('@playwright/test').Locator): Promise<number> {
  return canvas.evaluate((element) => {
    const { width, height } = element as HTMLCanvasElement
    const pixels =
      (element as HTMLCanvasElement).getContext('2d')?.getImageData(0, 0, width, height).data ?? []
    let painted = 0
    for (let index = 3; index < pixels.length; index += 4) if ((pixels[index] ?? 0) > 0) painted += 1
    return painted
  })
}

test.describe('with MongoDB as the only store', () => {
  test.use({ expectedErrors: [/Failed to load resource: .*503/] })

  test('the page shows what is not configured, and the logs work', async ({ page, saveScreenshot }) => {
    const viewer = await startViewerWithMongodbOnly()
    try {
      await page.goto(`${viewer.url}/`)
      await expect(voteLines(page)).toHaveCount(20)
      await expect(page.locator('footer', { hasText: 'dualpath viewer' })).toContainText(
        'Redis not configured',
      )
      await page.getByRole('link', { name: 'Tallies' }).click()
      await expect(page.getByText('This viewer was started without Redis.')).toBeVisible()
      await page.getByRole('link', { name: 'Compare' }).click()
      await expect(page.getByText('This viewer was started without Prometheus.')).toBeVisible()
      await expect(page.getByText('started without a reports directory')).toBeVisible()
      await saveScreenshot('compare-not-configured')
    } finally {
      await viewer.stop()
    }
  })
})
