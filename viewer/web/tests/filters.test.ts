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

const DEFAULT: View = { filters: NO_FILTERS, before: '', follow: false, details: false }
const NOW = Date.UTC(2026, 10, 25, 12)

describe('the address of the logs', () => {
  it('is empty for the default view', () => {
    expect(viewQuery(DEFAULT)).toEqual({})
    expect(parseView({})).toEqual(DEFAULT)
  })

  it.each<View>([
    { ...DEFAULT, filters: { ...NO_FILTERS, route: 'grpc', band: 'Bohemia Suburbana', range: '1h' } },
    { ...DEFAULT, filters: { ...NO_FILTERS, range: 'custom', from: '2026-11-25T01:02:03.000Z' } },
    { ...DEFAULT, filters: { ...NO_FILTERS, range: 'custom' } },
    { ...DEFAULT, before: 'cursor', details: true },
    { ...DEFAULT, follow: true },
  ])('restores the same view: %j', (view) => {
    expect(parseView(viewQuery(view) as Record<string, string>)).toEqual(view)
  })

  it('ignores invalid values', () => {
    expect(
      parseView({ route: 'soap', range: 'ever', from: 'yesterday', follow: 'yes', band: ['a', 'b'] }),
    ).toEqual(DEFAULT)
  })

  it.each([
    ['2026-01-31T18:00:00Z', '2026-01-31T18:00:00.000Z'],
    ['2026-01-31T20:00:00+02:00', '2026-01-31T18:00:00.000Z'],
    ['2026-01-31T20:00:00 02:00', '2026-01-31T18:00:00.000Z'],
    ['2026-01-31 18:00', '2026-01-31T18:00:00.000Z'],
    ['1769882400', '2026-01-31T18:00:00.000Z'],
    ['1769882400000', '2026-01-31T18:00:00.000Z'],
    ['2026', ''],
    ['17698824', ''],
    ['31/01/2026', ''],
  ])('understands times like the service: %s', (text, expected) => {
    expect(parseView({ from: text }).filters.from).toBe(expected)
  })

  it('takes a date as a whole day in UTC', () => {
    const { from, to } = parseView({ from: '2026-01-31', to: '2026-01-31' }).filters
    expect([from, to]).toEqual(['2026-01-31T00:00:00.000Z', '2026-01-31T23:59:59.999Z'])
  })

  it('truncates a band that is too long for the service', () => {
    expect(parseView({ band: 'x'.repeat(999) }).filters.band).toHaveLength(200)
  })
})

describe('the parameters of a request', () => {
  it('leave out unset filters', () => {
    expect(filterParameters(NO_FILTERS, NOW)).toEqual({})
  })

  it('count a range back from now', () => {
    expect(filterParameters({ ...NO_FILTERS, range: '5m' }, NOW)).toEqual({
      from: '2026-11-25T11:55:00.000Z',
    })
  })

  it('include bounds only for the custom range', () => {
    const bounds = { from: '2026-11-25T01:00:00.000Z', to: '2026-11-25T02:00:00.000Z' }
    expect(filterParameters({ ...NO_FILTERS, ...bounds, range: 'custom' }, NOW)).toEqual(bounds)
    expect(filterParameters({ ...NO_FILTERS, ...bounds }, NOW)).toEqual({})
  })

  it('have no time range for a stream, and allow no stream for the past', () => {
    const past = { ...NO_FILTERS, route: 'rest', range: 'custom', to: '2026-11-25T02:00:00.000Z' } as const
    expect(streamParameters(past)).toEqual({ route: 'rest' })
    expect(endsInThePast(past)).toBe(true)
    expect(endsInThePast({ ...past, to: '' })).toBe(false)
  })
})

it('a time in a field uses the local time zone and round-trips', () => {
  const time = '2026-11-25T02:04:56.000Z'
  expect(fromLocalInput(toLocalInput(time))).toBe(time)
  expect(toLocalInput('')).toBe('')
  expect(fromLocalInput('')).toBe('')
})
