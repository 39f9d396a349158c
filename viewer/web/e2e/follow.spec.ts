import { endpoints, lab } from './stack'
import { expect, test, voteLines } from './fixtures'
import { castByGrpc, castByHttp, castMany, readVotes } from './votes'

const vote = (name: string) => ({ name, album: 'En vivo', year: '2026', rank: '10' })
const state = '.state'

test('votes of all routes appear in the order of their arrival', async ({ page, saveScreenshot }) => {
  await page.goto('/?follow=1')
  await expect(page.locator(state)).toHaveText('live')
  const votes = await readVotes(30)
  await castMany(endpoints().ingress, votes)
  await expect(voteLines(page)).toHaveCount(20 + votes.length)
  const newLines = (await voteLines(page).allTextContents()).slice(20)
  for (const [index, { name, album }] of votes.entries()) {
    expect(newLines[index]).toContain(`${name} · ${album}`)
  }
  await saveScreenshot('logs-live')
})

test('new votes of every route appear while following and are announced', async ({ page }) => {
  const { ingress } = endpoints()
  const name = `Seguida ${String(Date.now())}`
  await page.goto('/')
  await page.getByRole('button', { name: 'Follow live' }).click()
  await expect(page.locator(state)).toHaveText('live')
  await castByHttp(ingress, vote(name), 'rest')
  await castByHttp(ingress, vote(name), 'bridge')
  await castByGrpc(ingress, vote(name))
  await expect(voteLines(page).filter({ hasText: name })).toHaveCount(3)
  await expect(page.locator('[aria-live=polite]')).toHaveText(/new votes?/)

  // The newest line stays in view, unless the user has scrolled up.
  await expect(voteLines(page).last()).toBeInViewport()
  const lines = page.getByRole('region', { name: /vote lines/i })
  await page.setViewportSize({ width: 1280, height: 500 })
  await expect.poll(() => lines.evaluate((element) => element.scrollTop)).toBeGreaterThan(0)
  await lines.evaluate((element) => {
    element.scrollTop = 0
  })
  await castByGrpc(ingress, vote(name))
  await expect(voteLines(page).filter({ hasText: name })).toHaveCount(4)
  await expect(voteLines(page).last()).not.toBeInViewport()
  await page.getByRole('button', { name: 'To the newest line' }).click()
  await expect(voteLines(page).last()).toBeInViewport()
})

test('following applies the filters', async ({ page }) => {
  const { ingress } = endpoints()
  const name = `Sólo puente ${String(Date.now())}`
  await page.goto(`/?band=${encodeURIComponent(name)}&route=bridge&follow=1`)
  await expect(page.locator(state)).toHaveText('live')
  await castByHttp(ingress, vote(name), 'rest')
  await castByGrpc(ingress, vote('Otra banda'))
  await castByHttp(ingress, vote(name), 'bridge')
  await expect(voteLines(page)).toHaveCount(1)
  await expect(voteLines(page)).toContainText('bridge')
})

test.describe('while MongoDB restarts', () => {
  // The browser logs each response with an error status.
  test.use({ expectedErrors: [/Failed to load resource: .*50[34]/] })

  test('the page reports it and later shows every vote cast meanwhile', async ({ page, saveScreenshot }) => {
    test.slow()
    const { ingress } = endpoints()
    const name = `Sin falta ${String(Date.now())}`
    await page.goto(`/?band=${encodeURIComponent(name)}&follow=1`)
    await expect(page.locator(state)).toHaveText('live')
    await castByHttp(ingress, vote(name), 'rest')
    await expect(voteLines(page)).toHaveCount(1)

    lab('stop', 'mongodb')
    await expect(page.locator(state)).toContainText('MongoDB is unavailable', { timeout: 20_000 })
    await page.getByRole('button', { name: 'Update' }).click()
    await expect(page.getByText(/MongoDB (cannot be reached|did not answer)/)).toBeVisible({
      timeout: 20_000,
    })
    await expect(voteLines(page)).toHaveCount(1)
    await saveScreenshot('logs-mongodb-unavailable')
    // Kafka accepts the votes. The consumer waits for MongoDB.
    for (let index = 0; index < 5; index += 1) {
      await castByGrpc(ingress, vote(name))
      await castByHttp(ingress, vote(name), 'bridge')
    }
    lab('start', 'mongodb')
    await expect(page.locator(state)).toHaveText('live', { timeout: 30_000 })
    await expect(voteLines(page)).toHaveCount(11, { timeout: 30_000 })
    await expect(page.locator('.gap')).toHaveCount(0)
    await expect(page.locator('.notice')).toHaveCount(0)
  })
})
