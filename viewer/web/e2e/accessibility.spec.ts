// Accessibility: assistive technology, keyboard, small screens, both themes, both languages.
import AxeBuilder from '@axe-core/playwright'
import type { Page } from '@playwright/test'

import { expect, test, voteLines } from './fixtures'

const PAGES = ['/', '/tallies', '/compare']

async function openPage(page: Page, path: string): Promise<void> {
  await page.goto(path)
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
  await expect(page.locator('[aria-busy=true]')).toHaveCount(0)
  await expect(page.locator('footer li').first()).toBeVisible()
}

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(`in the ${colorScheme} theme`, () => {
    test.use({ colorScheme })

    for (const path of PAGES) {
      test(`axe finds no serious violation on ${path}`, async ({ page, saveScreenshot }) => {
        await openPage(page, path)
        if (path === '/') await expect(voteLines(page)).toHaveCount(20)
        const { violations } = await new AxeBuilder({ page }).analyze()
        const found = violations.map(
          ({ impact, id, nodes }) => `${impact ?? '?'} ${id}: ${nodes[0]?.html ?? ''}`,
        )
        expect(found.filter((text) => !text.startsWith('minor'))).toEqual([])
        if (colorScheme === 'dark') await saveScreenshot(`${path === '/' ? 'logs' : path.slice(1)}-dark`)
      })
    }
  })
}

test('the selected theme is kept after a reload', async ({ page }) => {
  await page.goto('/')
  const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)
  const light = await background()
  await page.getByRole('combobox', { name: 'Theme' }).selectOption('dark')
  const dark = await background()
  expect(dark).not.toBe(light)
  await page.reload()
  await expect(page.getByRole('combobox', { name: 'Theme' })).toHaveValue('dark')
  expect(await background()).toBe(dark)
})

test.describe('with a Spanish locale', () => {
  test.use({ locale: 'es-GT' })

  test('the page is in Spanish and can be switched to English', async ({ page, saveScreenshot }) => {
    await openPage(page, '/compare')
    await expect(page.locator('html')).toHaveAttribute('lang', 'es')
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Las rutas, lado a lado')
    await saveScreenshot('compare-spanish')
    await page.getByRole('link', { name: 'Registros' }).click()
    await expect(page).toHaveTitle('Registros · dualpath')
    await expect(page.getByRole('button', { name: 'Seguir en vivo' })).toBeVisible()
    await saveScreenshot('logs-spanish')
    await page.getByRole('combobox', { name: 'Idioma' }).selectOption('en')
    await expect(page.getByRole('button', { name: 'Follow live' })).toBeVisible()
    await expect(page.locator('html')).toHaveAttribute('lang', 'en')
    await page.reload()
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Vote logs')
  })
})

test.describe('on a phone', () => {
  test.use({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true })

  for (const path of PAGES) {
    test(`${path} needs no horizontal scrolling`, async ({ page, saveScreenshot }) => {
      for (const language of ['en', 'es']) {
        await openPage(page, path)
        await page.getByRole('combobox', { name: /Language|Idioma/ }).selectOption(language)
        const width = await page.evaluate(() => document.documentElement.scrollWidth)
        expect(width, language).toBeLessThanOrEqual(360)
      }
      await saveScreenshot(`phone-${path === '/' ? 'logs' : path.slice(1)}`)
    })
  }
})

test('the keyboard reaches all controls in order', async ({ page }) => {
  await page.goto('/')
  await expect(voteLines(page)).toHaveCount(20)
  await page.keyboard.press('Tab')
  await expect(page.getByRole('link', { name: 'Skip to content' })).toBeFocused()
  const reached: string[] = []
  for (let press = 0; press < 25; press += 1) {
    await page.keyboard.press('Tab')
    reached.push(
      await page.evaluate(() => {
        const element = document.activeElement
        return (element?.getAttribute('aria-label') ?? element?.textContent ?? element?.tagName ?? '').trim()
      }),
    )
  }
  const order = [
    'Logs',
    'Tallies',
    'Compare',
    'Language',
    'Theme',
    'Update',
    'Follow live',
    'Details',
    'Copy',
    'Download',
  ]
  const positions = order.map((name) => reached.findIndex((text) => text === name))
  expect(positions).not.toContain(-1)
  expect(positions).toEqual([...positions].sort((left, right) => left - right))
  expect(reached).toContain('Vote lines, oldest first')
  await page.getByRole('button', { name: 'Details' }).focus()
  await page.keyboard.press('Space')
  await expect(page).toHaveURL(/details=1/)
  await page.getByRole('radio', { name: 'All' }).focus()
  await page.keyboard.press('ArrowRight')
  await expect(page).toHaveURL(/route=rest/)
})
