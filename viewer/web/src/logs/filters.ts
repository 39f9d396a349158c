import type { LocationQuery, LocationQueryRaw } from 'vue-router'

import type { Parameters } from '../api/client'
import { ROUTES, type Route } from '../api/types'

/** Votes on a page, as many as the seed of this page showed. */
export const PAGE_SIZE = 20

/** As long as a band's name may be. */
export const LONGEST_BAND = 200

export const RANGES = ['all', '5m', '1h', '24h', 'custom'] as const
export type Range = (typeof RANGES)[number]

const RANGE_MS: Partial<Record<Range, number>> = {
  '5m': 5 * 60_000,
  '1h': 60 * 60_000,
  '24h': 24 * 60 * 60_000,
}

export interface Filters {
  /** Empty: all. */
  route: Route | ''
  /** Exact name; empty: any. */
  band: string
  range: Range
  /** RFC 3339, UTC; empty: no bound. Of the custom range only. */
  from: string
  to: string
}

/** What the page's address says beyond the filters. */
export interface View {
  filters: Filters
  /** The cursor of an older page; empty: the newest. */
  before: string
  follow: boolean
  details: boolean
}

export const NO_FILTERS: Filters = { route: '', band: '', range: 'all', from: '', to: '' }

/** Reads an address; what makes no sense is left out, for addresses are typed and cut off by hand. */
export function parseView(query: LocationQuery): View {
  const text = (name: string) => {
    const value = query[name]
    return typeof value === 'string' ? value : ''
  }
  const from = parseTime(text('from'))
  const to = parseTime(text('to'))
  const named = RANGES.find((range) => range === text('range')) ?? 'all'
  return {
    filters: {
      route: ROUTES.find((route) => route === text('route')) ?? '',
      band: text('band').trim().slice(0, LONGEST_BAND),
      range: from !== '' || to !== '' ? 'custom' : named,
      from,
      to,
    },
    before: text('before'),
    follow: text('follow') === '1',
    details: text('details') === '1',
  }
}

/** The address that [`parseView`] reads; what is as usual is left out. */
export function viewQuery({ filters, before, follow, details }: View): LocationQueryRaw {
  const custom = filters.range === 'custom'
  return {
    ...present({
      route: filters.route,
      band: filters.band,
      range: filters.range === 'all' || (custom && filters.from + filters.to !== '') ? '' : filters.range,
      from: custom ? filters.from : '',
      to: custom ? filters.to : '',
      before,
      follow: follow ? '1' : '',
      details: details ? '1' : '',
    }),
  }
}

/** The filters as the service takes them; `now` in ms since 1970. */
export function filterParameters(filters: Filters, now: number): Parameters {
  const span = RANGE_MS[filters.range]
  const custom = filters.range === 'custom'
  return present({
    route: filters.route,
    band: filters.band,
    from: span !== undefined ? new Date(now - span).toISOString() : custom ? filters.from : '',
    to: custom ? filters.to : '',
  })
}

/** What a stream can be filtered by: it has no past. */
export function streamParameters(filters: Filters): Parameters {
  return present({ route: filters.route, band: filters.band })
}

/** Whether no vote of the future can pass: then there is nothing to follow. */
export const endsInThePast = (filters: Filters) => filters.range === 'custom' && filters.to !== ''

/** A time as an `<input type="datetime-local">` shows it, in the reader's zone. */
export function toLocalInput(time: string): string {
  if (time === '') return ''
  const at = new Date(time)
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19)
}

/** The other way. */
export const fromLocalInput = (value: string) => parseTime(value)

function parseTime(text: string): string {
  if (text === '') return ''
  const at = new Date(text)
  return Number.isNaN(at.getTime()) ? '' : at.toISOString()
}

function present(values: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ''))
}
