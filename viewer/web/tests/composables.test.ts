import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { nextTick, ref } from 'vue'

import { isolatedIndexes, plotData } from '../src/compare/plot'
import { persisted } from '../src/settings/persisted'
import { ANNOUNCE_INTERVAL_MS, useAnnouncer } from '../src/shared/useAnnouncer'
import { useRate } from '../src/tallies/useRate'
import { runInScope } from './fixtures'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

it('new votes are announced in one sentence per interval', async () => {
  const { result, scope } = runInScope(() => useAnnouncer((count) => `${String(count)} new`))
  result.add(1)
  expect(result.message.value).toBe('1 new')
  result.add(20)
  result.add(300)
  expect(result.message.value).toBe('1 new')
  await vi.advanceTimersByTimeAsync(ANNOUNCE_INTERVAL_MS)
  expect(result.message.value).toBe('320 new')
  scope.stop()
})

describe('the rate', () => {
  async function rates(...readings: [at: number, total: number][]): Promise<(number | null)[]> {
    const [total, at] = [ref<number>(), ref<number>()]
    const { result, scope } = runInScope(() => useRate(total, at))
    const seen = []
    for (const reading of readings) {
      ;[at.value, total.value] = reading
      await nextTick()
      seen.push(result.value)
    }
    scope.stop()
    return seen
  }

  it('needs two readings and covers ten seconds', async () => {
    expect(await rates([0, 100], [2_000, 300], [11_000, 300])).toEqual([null, 100, 0])
  })

  it('starts again after a total decreased', async () => {
    expect(await rates([0, 100], [2_000, 0], [4_000, 8])).toEqual([null, null, 4])
  })
})

it('a plot interrupts a line where a route has no value', () => {
  const point = (t: string, p95_ms: number | null) => ({ t, p95_ms, p50_ms: 1, p99_ms: 1, votes_per_s: 1 })
  const [early, late] = ['2026-11-25T02:00:00.000Z', '2026-11-25T02:00:05.000Z']
  const data = plotData(
    [
      { route: 'bridge', points: [point(late, 3)] },
      { route: 'rest', points: [point(early, 1), point(late, null)] },
    ],
    'p95_ms',
  )
  const seconds = Date.parse(early) / 1000
  expect(data).toEqual([
    [seconds, seconds + 5],
    [1, null],
    [null, null],
    [null, 3],
  ])
})

it('values without neighbours are found', () => {
  expect(isolatedIndexes([1, null, 2, 3, null, 4])).toEqual([0, 5])
  expect(isolatedIndexes([null, 7, null])).toEqual([1])
  expect(isolatedIndexes([])).toEqual([])
})

describe('a persisted choice', () => {
  it('is kept, and other stored values are ignored', async () => {
    const choice = persisted('test.size', ['small', 'large'], 'small')
    choice.value = 'large'
    await nextTick()
    expect(persisted('test.size', ['small', 'large'], 'small').value).toBe('large')
    localStorage.setItem('test.size', 'huge')
    expect(persisted('test.size', ['small', 'large'], 'small').value).toBe('small')
  })

  it('works without storage', async () => {
    vi.spyOn(Storage.prototype, 'getItem').mockImplementation(() => {
      throw new Error('forbidden')
    })
    vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => {
      throw new Error('forbidden')
    })
    const choice = persisted('test.size', ['small', 'large'], 'small')
    choice.value = 'large'
    await nextTick()
    expect(choice.value).toBe('large')
  })
})
