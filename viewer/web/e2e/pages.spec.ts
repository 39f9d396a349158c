import { bareViewer, endpoints } from './stack'
import { expect, test, voteLines } from './test'
import { castByGrpc, castMany, someVotes } from './votes'

test('tallies count votes as they are counted', async ({ page, picture }) => {
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
  const byGrpc = Number((await grpc.innerText()).replaceAll(',', ''))
  await castByGrpc(endpoints().ingress, { name: 'Contada', album: 'Uno', year: '2026', rank: '1' })
  await expect.poll(number).toBe(before + 1)
  await expect(grpc).toHaveText(String(byGrpc + 1))
  await top.getByText('25', { exact: true }).click()
  await expect(bands.getByRole('row')).not.toHaveCount(11)
  await top.getByText('10', { exact: true }).click()
  await expect(bands.getByRole('row')).toHaveCount(11)
  await picture('tallies-light')
})

test('the comparison shows each route’s figures, curves and stages, and that they are no verdict', async ({
  page,
  picture,
}) => {
  // Rates need votes over some scrapes.
  const votes = await someVotes(60)
  for (let round = 0; round < 12; round += 1) {
    await castMany(endpoints().ingress, votes)
    await page.waitForTimeout(500)
  }
  await page.goto('/compare?window=1m')
  await expect(page.getByText('These figures are no verdict.')).toBeVisible()
  const figures = page.getByRole('group', { name: /Latency, throughput/ })
  for (const route of ['rest', 'grpc', 'bridge']) {
    const cells = figures.getByRole('row', { name: route }).getByRole('cell')
    for (const column of [0, 1, 2, 3]) await expect(cells.nth(column)).toHaveText(/^[\d.,]*[1-9][\d.,]*$/)
    await expect(cells.nth(4)).toHaveText('0')
  }
  const stages = page.getByRole('group', { name: 'Where the time goes' })
  await expect(stages.getByRole('row', { name: /^sum/ }).getByRole('cell').last()).toHaveText(/[1-9]/)
  await expect(page.locator('.place canvas')).toBeVisible()
  expect(await inkOf(page.locator('.place canvas'))).toBeGreaterThan(500)

  await page.getByText('votes/s', { exact: true }).click()
  await expect(page.locator('figcaption')).toContainText('Votes a second')
  await page.getByText('The plot as a table').click()
  const table = page.getByRole('group', { name: 'The plot as a table' })
  await expect(table.getByRole('cell').filter({ hasText: /[1-9]/ }).first()).toBeVisible()
  await page.getByText('The plot as a table').click()
  await page.getByText('p95', { exact: true }).click()
  await picture('compare-light')
  await page.getByText('15 min').click()
  await expect(page).toHaveURL(/window=15m/)
  await expect(figures.getByRole('row', { name: 'rest' }).getByRole('cell').first()).toHaveText(/[1-9]/)
})

/** Pixels of a canvas that are not empty. */
async function inkOf(canvas: import('@playwright/test').Locator): Promise<number> {
  return canvas.evaluate((element) => {
    const { width, height } = element as HTMLCanvasElement
    const pixels =
      (element as HTMLCanvasElement).getContext('2d')?.getImageData(0, 0, width, height).data ?? []
    let ink = 0
    for (let index = 3; index < pixels.length; index += 4) if ((pixels[index] ?? 0) > 0) ink += 1
    return ink
  })
}

test.describe('with MongoDB alone', () => {
  test.use({ forgiven: [/Failed to load resource: .*503/] })

  test('the page says what is not set up, and the logs work', async ({ page, picture }) => {
    const viewer = await bareViewer()
    try {
      await page.goto(`${viewer.url}/`)
      await expect(voteLines(page)).toHaveCount(20)
      await expect(page.locator('footer', { hasText: 'dualpath viewer' })).toContainText('Redis not set up')
      await page.getByRole('link', { name: 'Tallies' }).click()
      await expect(page.getByText('This viewer was started without Redis.')).toBeVisible()
      await page.getByRole('link', { name: 'Compare' }).click()
      await expect(page.getByText('This viewer was started without Prometheus.')).toBeVisible()
      await expect(page.getByText('started without a folder of reports')).toBeVisible()
      await picture('compare-not-set-up')
    } finally {
      await viewer.stop()
    }
  })
})
