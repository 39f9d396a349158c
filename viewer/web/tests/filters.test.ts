import { describe, expect, it } from 'vitest'

import {
  endsInThePast,
  filterParameters,
  fromLocalInput,
  NO_FILTERS,
  parseView,
  streamParameters,
  toLocalInput,
  viewQuery,
  type View,
} from '../src/logs/filters'

const PLAIN: View = { filters: NO_FILTERS, before: '', follow: false, details: false }
const NOW = Date.UTC(2026, 10, 25, 12)

describe('the address of the logs', () => {
  it('is bare where everything is as usual', () => {
    expect(viewQuery(PLAIN)).toEqual({})
    expect(parseView({})).toEqual(PLAIN)
  })

  it.each<View>([
    { ...PLAIN, filters: { ...NO_FILTERS, route: 'grpc', band: 'Bohemia Suburbana', range: '1h' } },
    { ...PLAIN, filters: { ...NO_FILTERS, range: 'custom', from: '2026-11-25T01:02:03.000Z' } },
    { ...PLAIN, filters: { ...NO_FILTERS, range: 'custom' } },
    { ...PLAIN, before: 'cursor', details: true },
    { ...PLAIN, follow: true },
  ])('brings the same view back: %j', (view) => {
    expect(parseView(viewQuery(view) as Record<string, string>)).toEqual(view)
  })

  it('ignores what makes no sense', () => {
    expect(
      parseView({ route: 'soap', range: 'ever', from: 'yesterday', follow: 'yes', band: ['a', 'b'] }),
    ).toEqual(PLAIN)
  })

  it('cuts a band that is too long for the service', () => {
    expect(parseView({ band: 'x'.repeat(999) }).filters.band).toHaveLength(200)
  })
})

describe('what the service is asked', () => {
  it('leaves out what is not filtered', () => {
    expect(filterParameters(NO_FILTERS, NOW)).toEqual({})
  })

  it('counts back from now', () => {
    expect(filterParameters({ ...NO_FILTERS, range: '5m' }, NOW)).toEqual({
      from: '2026-11-25T11:55:00.000Z',
    })
  })

  it('takes bounds only where they were asked for', () => {
    const bounds = { from: '2026-11-25T01:00:00.000Z', to: '2026-11-25T02:00:00.000Z' }
    expect(filterParameters({ ...NO_FILTERS, ...bounds, range: 'custom' }, NOW)).toEqual(bounds)
    expect(filterParameters({ ...NO_FILTERS, ...bounds }, NOW)).toEqual({})
  })

  it('has no time for a stream, and no stream for the past', () => {
    const past = { ...NO_FILTERS, route: 'rest', range: 'custom', to: '2026-11-25T02:00:00.000Z' } as const
    expect(streamParameters(past)).toEqual({ route: 'rest' })
    expect(endsInThePast(past)).toBe(true)
    expect(endsInThePast({ ...past, to: '' })).toBe(false)
  })
})

it('a time in a field is the reader’s own, and comes back the same', () => {
  const time = '2026-11-25T02:04:56.000Z'
  expect(fromLocalInput(toLocalInput(time))).toBe(time)
  expect(toLocalInput('')).toBe('')
  expect(fromLocalInput('')).toBe('')
})
