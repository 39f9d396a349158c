import { readFile } from 'node:fs/promises'

import { endpoints } from './stack'
import { expect, test, voteLines } from './fixtures'
import { castByGrpc, castByHttp, castMany, readVotes } from './votes'

/** A unique name. */
const uniqueName = (prefix: string) => `${prefix} ${String(Date.now())}`
const vote = (name: string) => ({ name, album: 'Centroamérica', year: '1986', rank: '9.5' })

test('the newest twenty votes are shown, one line per vote: date - time - vote', async ({
  page,
  saveScreenshot,
}) => {
  await page.goto('/')
  await expect(voteLines(page)).toHaveCount(20)
  await expect(voteLines(page).last()).toHaveText(
    /^\d{4}-\d\d-\d\d - \d\d:\d\d:\d\d\.\d{3} - +(rest|grpc|bridge) +.+ · .+ · \d{4} · rank [\d.]+$/,
  )
  const times = await voteLines(page)
    .locator('time')
    .evaluateAll((all) => all.map((one) => one.getAttribute('datetime')))
  expect(times).toEqual([...times].sort())
  await saveScreenshot('logs-light')
})

test('Update shows new votes of every route with their route', async ({ page }) => {
  const { ingress } = endpoints()
  const name = uniqueName('Tres caminos')
  await page.goto('/')
  await expect(voteLines(page)).toHaveCount(20)
  await castByHttp(ingress, vote(name), 'rest')
  await castByHttp(ingress, vote(name), 'bridge')
  await castByGrpc(ingress, vote(name))
  await expect(async () => {
    await page.getByRole('button', { name: 'Update' }).click()
    await expect(voteLines(page).filter({ hasText: name })).toHaveCount(3, { timeout: 500 })
  }).toPass()
  for (const route of ['rest', 'grpc', 'bridge']) {
    await expect(
      voteLines(page)
        .filter({ hasText: name })
        .filter({ hasText: ` ${route} ` }),
    ).toHaveCount(1)
  }
})

test('filters select votes and are kept in the URL', async ({ page, saveScreenshot }) => {
  const name = uniqueName('Filtrada')
  await castByHttp(endpoints().ingress, vote(name), 'rest')
  await castByGrpc(endpoints().ingress, vote(name))
  await page.goto('/')
  await page.getByRole('group', { name: 'Route' }).getByText('grpc').click()
  await expect(page).toHaveURL(/route=grpc/)
  await expect(voteLines(page).first()).toContainText('grpc')
  await expect(voteLines(page).filter({ hasText: /- +(rest|bridge) / })).toHaveCount(0)

  await page.getByRole('combobox', { name: 'Band' }).fill(name)
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/band=Filtrada/)
  await expect(async () => {
    await page.getByRole('button', { name: 'Update' }).click()
    await expect(voteLines(page)).toHaveCount(1, { timeout: 500 })
  }).toPass()
  await page.getByRole('combobox', { name: 'Time' }).selectOption('5m')
  await page.getByRole('button', { name: 'Details' }).click()
  await expect(voteLines(page)).toContainText(/partition \d, offset \d+ · stored after/)
  await saveScreenshot('logs-filtered')

  await page.reload()
  await expect(voteLines(page)).toHaveCount(1)
  await expect(page.getByRole('combobox', { name: 'Band' })).toHaveValue(name)

  await page.getByRole('combobox', { name: 'Time' }).selectOption('custom')
  await page.getByLabel('To', { exact: true }).fill('2020-01-01T00:00:00')
  await page.keyboard.press('Tab')
  await expect(page.getByText('No vote matches the filters.')).toBeVisible()
  await expect(page.getByRole('button', { name: 'Follow live' })).toBeDisabled()
  await page.goBack()
  await page.goBack()
  await expect(voteLines(page)).toHaveCount(1)
  await page.getByRole('button', { name: 'Clear filters' }).click()
  await expect(voteLines(page)).toHaveCount(20)
  await expect(page).toHaveURL(/\/\?details=1$/)
})

test('the suggested bands are those with votes', async ({ page }) => {
  await page.goto('/')
  await page.getByRole('combobox', { name: 'Band' }).focus()
  await expect(page.locator('datalist option[value="Alux Nahual"]')).toHaveCount(1)
})

test('older and newer pages have no gap and no duplicate', async ({ page }) => {
  const { ingress } = endpoints()
  const name = uniqueName('Paginada')
  await castMany(
    ingress,
    Array.from({ length: 45 }, () => vote(name)),
  )
  await page.goto(`/?band=${encodeURIComponent(name)}&details=1`)
  await expect(async () => {
    const { votes } = (await (
      await fetch(`${endpoints().viewer}/api/logs?limit=200&band=${encodeURIComponent(name)}`)
    ).json()) as { votes: unknown[] }
    expect(votes).toHaveLength(45)
  }).toPass()
  await page.getByRole('button', { name: 'Update' }).click()
  const ids = async () =>
    (await voteLines(page).allInnerTexts()).map((text) => /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(text)?.[0])
  const older = page.getByRole('button', { name: 'Older' })
  const seen: (string | undefined)[] = []
  let last: string | undefined
  for (const count of [20, 20, 5]) {
    await expect(voteLines(page)).toHaveCount(count)
    await expect.poll(async () => (await ids())[0]).not.toBe(last)
    last = (await ids())[0]
    seen.push(...(await ids()))
    if (count === 20) await older.click()
  }
  expect(new Set(seen).size).toBe(45)
  await expect(older).toBeDisabled()
  await page.getByRole('button', { name: 'Newer' }).click()
  await expect.poll(ids).toEqual(seen.slice(20, 40))
  await page.goBack()
  await expect(voteLines(page)).toHaveCount(5)
  await page.getByRole('button', { name: 'Newest' }).click()
  await expect.poll(ids).toEqual(seen.slice(0, 20))
})

test('votes are copied and downloaded as NDJSON', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  await page.goto('/?route=grpc')
  await expect(voteLines(page)).toHaveCount(20)
  await page.getByRole('button', { name: 'Copy' }).click()
  await expect(page.locator('.note')).toHaveText('20 votes copied as NDJSON')
  const copied = await page.evaluate(() => navigator.clipboard.readText())
  expect(parse(copied)).toHaveLength(20)

  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Download' }).click(),
  ])
  expect(download.suggestedFilename()).toMatch(/\.ndjson$/)
  const downloaded = parse(await readFile(await download.path(), 'utf8'))
  expect(downloaded.length).toBeGreaterThanOrEqual(80)
  expect(new Set(downloaded.map((one) => one.route))).toEqual(new Set(['grpc']))
  const ids = new Set(downloaded.map((one) => one.vote_id))
  expect(parse(copied).filter((one) => !ids.has(one.vote_id))).toEqual([])
})

const parse = (ndjson: string) =>
  ndjson
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { vote_id: string; route: string })

test('invalid query parameters are ignored', async ({ page }) => {
  await page.goto('/?route=soap&range=ever&from=yesterday')
  await expect(voteLines(page)).toHaveCount(20)
})

test('accented letters are preserved', async ({ page }) => {
  const accented = (await readVotes(240)).find(({ name }) => /[áéíóúñ]/i.test(name))
  expect(accented).toBeDefined()
  await page.goto(`/?band=${encodeURIComponent(accented?.name ?? '')}`)
  await expect(voteLines(page).first()).toContainText(accented?.name ?? '')
})
