import { enableAutoUnmount, flushPromises, mount } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createMemoryHistory, createRouter } from 'vue-router'

import { ApiError } from '../src/api/client'
import { i18n } from '../src/i18n'
import { logDate, logTime } from '../src/i18n/times'
import LogsPage from '../src/logs/LogsPage.vue'
import { LOAD_RETRY_MS } from '../src/logs/useVotes'
import ErrorNotice from '../src/shared/ErrorNotice.vue'
import BarTable from '../src/tallies/BarTable.vue'
import TalliesPage from '../src/tallies/TalliesPage.vue'
import { json, vote, votes } from './fixtures'

enableAutoUnmount(afterEach)

describe('the logs', () => {
  const fetched = vi.fn<typeof fetch>()

  async function open(path: string) {
    const router = createRouter({
      history: createMemoryHistory(),
      routes: [{ path: '/', component: LogsPage }],
    })
    await router.push(path)
    const page = mount(LogsPage, { global: { plugins: [router, i18n] } })
    await flushPromises()
    return { page, router }
  }

  const addresses = () => fetched.mock.calls.map(([address]) => String(address))
  const lines = (page: Awaited<ReturnType<typeof open>>['page']) =>
    page.findAll('li').map((line) => line.text())
  const press = async (page: Awaited<ReturnType<typeof open>>['page'], text: string) => {
    await page
      .findAll('button')
      .find((button) => button.text() === text)
      ?.trigger('click')
    await flushPromises()
  }

  beforeEach(() => {
    fetched.mockReset()
    fetched.mockImplementation(() => Promise.resolve(json({ votes: votes(2, 1), next: 'older' })))
    vi.stubGlobal('fetch', fetched)
  })

  it('show one line per vote, date - time - vote, newest last', async () => {
    const { page } = await open('/')
    const at = vote(2).received_at
    expect(lines(page)).toHaveLength(2)
    expect(lines(page)[1]?.replace(/\s+/g, ' ')).toBe(
      `${logDate(at)} - ${logTime(at)} - rest Alux Nahual · Centroamérica · 1984 · rank 9.5`,
    )
    expect(addresses()).toEqual(['/api/logs?limit=20'])
  })

  it('use the filters of the address for the request and the download', async () => {
    const { page } = await open('/?route=grpc&band=Alux+Nahual')
    expect(addresses()).toEqual(['/api/logs?route=grpc&band=Alux+Nahual&limit=20'])
    expect(page.get('a[download]').attributes('href')).toBe('/api/logs/export?route=grpc&band=Alux+Nahual')
  })

  it('page by cursor, go back along visited pages, and load the newest page at Update', async () => {
    const { page, router } = await open('/')
    await press(page, 'Older')
    expect(router.currentRoute.value.query).toEqual({ before: 'older' })
    expect(addresses().at(-1)).toBe('/api/logs?before=older&limit=20')
    await press(page, 'Newer')
    expect(addresses().at(-1)).toBe('/api/logs?limit=20')
    await press(page, 'Older')
    await press(page, 'Update')
    expect(router.currentRoute.value.query).toEqual({})
  })

  it('continue a search by themselves until the page is full, and show how far it got', async () => {
    const time = vote(0).received_at
    const pages = [
      { votes: votes(9), next: 'one', searched_until: time },
      { votes: [], next: 'two', searched_until: time },
      { votes: votes(8), next: null },
    ]
    const answers: (() => void)[] = []
    fetched.mockImplementation(
      () =>
        new Promise((resolve) => {
          answers.push(() => {
            resolve(json(pages.shift()))
          })
        }),
    )
    const { page } = await open('/?band=Rara+Avis')
    answers.shift()?.()
    await flushPromises()
    expect(lines(page)).toHaveLength(1)
    expect(page.get('.progress').text()).toContain(`Searched back to ${logDate(time)} ${logTime(time)}`)
    answers.shift()?.()
    await flushPromises()
    answers.shift()?.()
    await flushPromises()
    expect(lines(page)).toHaveLength(2)
    expect(page.find('.progress').exists()).toBe(false)
    expect(addresses()).toEqual([
      '/api/logs?band=Rara+Avis&limit=20',
      '/api/logs?band=Rara+Avis&before=one&limit=19',
      '/api/logs?band=Rara+Avis&before=two&limit=19',
    ])
  })

  it('stop a search on request, and continue it on another page', async () => {
    const until = vote(0).received_at
    let requests = 0
    fetched.mockImplementation((_, init) => {
      requests += 1
      if (requests !== 2) return Promise.resolve(json({ votes: [], next: 'one', searched_until: until }))
      // Ends only when the page aborts it.
      return new Promise((_resolve, reject) => {
        init?.signal?.addEventListener('abort', () => {
          reject(new Error('aborted'))
        })
      })
    })
    const { page, router } = await open('/?band=Rara+Avis')
    expect(page.text()).toContain('No vote that matches the filters was found yet.')
    await press(page, 'Stop the search')
    expect(page.get('.progress').text()).toContain('The search stopped')
    expect(fetched).toHaveBeenCalledTimes(2)
    fetched.mockImplementation(() => Promise.resolve(json({ votes: votes(1), next: null })))
    await press(page, 'Search older votes')
    expect(router.currentRoute.value.query).toMatchObject({ before: 'one' })
    expect(lines(page)).toHaveLength(1)
  })

  it('continue a search after a temporary failure where it stopped', async () => {
    const until = vote(0).received_at
    fetched
      .mockResolvedValueOnce(json({ votes: votes(9), next: 'one', searched_until: until }))
      .mockResolvedValueOnce(json({ code: 'unavailable' }, { status: 503 }))
      .mockResolvedValueOnce(json({ votes: votes(8), next: null }))
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { page } = await open('/?band=Rara+Avis')
    await vi.advanceTimersByTimeAsync(LOAD_RETRY_MS)
    vi.useRealTimers()
    await flushPromises()
    expect(lines(page)).toHaveLength(2)
    expect(addresses().at(-1)).toBe('/api/logs?band=Rara+Avis&before=one&limit=19')
  })

  it('keep their lines after a failure and retry until a request succeeds', async () => {
    const { page } = await open('/')
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    fetched.mockImplementation(() =>
      Promise.resolve(json({ code: 'unavailable', detail: 'no primary' }, { status: 503 })),
    )
    await press(page, 'Update')
    expect(lines(page)).toHaveLength(2)
    expect(page.get('.notice').text()).toContain('MongoDB cannot be reached')
    fetched.mockImplementation(() => Promise.resolve(json({ votes: votes(3), next: null })))
    await vi.advanceTimersByTimeAsync(LOAD_RETRY_MS)
    expect(page.find('.notice').exists()).toBe(false)
    expect(lines(page)).toHaveLength(1)
    vi.useRealTimers()
  })

  it('keep typed text while suggestions arrive, and filter at Enter', async () => {
    const { page, router } = await open('/')
    const field = page.get<HTMLInputElement>('input[type=search]')
    fetched.mockImplementation(() => Promise.resolve(json(['Alux Nahual'])))
    await field.trigger('focus')
    await field.setValue('Alux')
    await flushPromises()
    expect(page.findAll('option[value="Alux Nahual"]')).toHaveLength(1)
    expect(field.element.value).toBe('Alux')
    fetched.mockImplementation(() => Promise.resolve(json({ votes: [], next: null })))
    await field.trigger('keydown', { key: 'Enter' })
    await flushPromises()
    expect(router.currentRoute.value.query).toEqual({ band: 'Alux' })
  })

  it('explain how to cast a vote if there is none', async () => {
    fetched.mockImplementation(() => Promise.resolve(json({ votes: [], next: null })))
    const { page } = await open('/')
    expect(page.text()).toContain('No votes yet.')
    expect(page.get('pre').text()).toContain('curl')
  })
})

describe('a notice', () => {
  const notice = (error: ApiError) =>
    mount(ErrorNotice, { props: { error, source: 'tallies' }, global: { plugins: [i18n] } })

  it('has no alarm and no button if a store is not configured', () => {
    const shown = notice(new ApiError('not_configured', 'start it with --redis-url'))
    expect(shown.text()).toBe('This viewer was started without Redis. The logs do not need it.')
    expect(shown.find('button').exists()).toBe(false)
  })

  it('shows the reason and a retry button after an unexpected failure', async () => {
    const shown = notice(new ApiError('other', 'connection refused'))
    expect(shown.text()).toContain('connection refused')
    await shown.get('button').trigger('click')
    expect(shown.emitted('retry')).toHaveLength(1)
  })
})

it('a bar is proportional to the longest bar, and the row shows its number', () => {
  const table = mount(BarTable, {
    props: {
      title: 'By band',
      rowName: 'Band',
      total: 1_000,
      rows: [
        { key: 'Alux Nahual', label: 'Alux Nahual', votes: 400 },
        { key: 'Bohemia Suburbana', label: 'Bohemia Suburbana', votes: 100 },
      ],
    },
    global: { plugins: [i18n] },
  })
  const [, second] = table.findAll('tbody tr')
  expect(second?.findAll('td').map((cell) => cell.text())).toEqual(['100', '10.0%'])
  expect(second?.get('.bar').attributes('style')).toContain('25%')
})

it('names that are long or odd are shown as they are, band and album apart', async () => {
  const odd = [
    'A - B',
    'x'.repeat(200),
    '<b>bold</b>',
    '  spaced  out ',
    'שלום',
    '{count} | @:key',
    '\\ - \\',
  ]
  const albums = odd.map((name, index) => ({
    label: `${name} - ${String(index)}`,
    band: name,
    album: `C - ${name}`,
    votes: 1_000_000 - index,
  }))
  const many = Array.from({ length: 100 - odd.length }, (_, index) => ({
    label: `l${String(index)}`,
    band: 'Band',
    album: 'Album',
    votes: 1,
  }))
  const tallies = {
    total: 10_000_000,
    bands: odd.map((name) => ({ name, votes: 1 })),
    albums: [...albums, ...many],
    routes: [],
  }
  vi.stubGlobal('fetch', () => Promise.resolve(json(tallies)))
  const warn = vi.spyOn(console, 'warn')
  const page = mount(TalliesPage, { global: { plugins: [i18n] } })
  await flushPromises()
  const rows = page.findAllComponents(BarTable).at(-1)?.findAll('tbody tr') ?? []
  expect(rows).toHaveLength(100)
  const names = rows
    .slice(0, odd.length)
    .map((row) => row.findAll('bdi').map(({ element }) => element.textContent))
  expect(names).toEqual(odd.map((name) => [`C - ${name}`, name]))
  expect(page.find('b').exists()).toBe(false)
  // Vue warns about rows with the same key.
  expect(warn).not.toHaveBeenCalled()
})
