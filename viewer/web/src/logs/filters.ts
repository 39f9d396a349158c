import type { LocationQuery, LocationQueryRaw } from 'vue-router'

import type { Parameters } from '../api/client'
import { ROUTES, type Route } from '../api/types'

/** Votes per page. */
export const PAGE_SIZE = 20

/** Maximum length of a band's name, in characters. */
export const MAX_BAND_LENGTH = 200

export const RANGES = ['all', '5m', '1h', '24h', 'custom'] as const
export type Range = (typeof RANGES)[number]

const RANGE_MS: Partial<Record<Range, number>> = {
  '5m': 5 * 60_000,
  '1h': 60 * 60_000,
  '24h': 24 * 60 * 60_000,
}

export interface Filters {
  /** Empty: all routes. */
  route: Route | ''
  /** Exact name; empty: any band. */
  band: string
  range: Range
  /** RFC 3339, UTC; empty: no bound. Only for the custom range. */
  from: string
  to: string
}

/** The state of the page that its address contains. */
export interface View {
  filters: Filters
  /** The cursor of an older page; empty: the newest page. */
  before: string
  follow: boolean
  details: boolean
}

export const NO_FILTERS: Filters = { route: '', band: '', range: 'all', from: '', to: '' }

/** Parses the query of an address. Invalid parts are ignored, because users edit and truncate addresses. */
export function parseView(query: LocationQuery): View {
  const text = (name: string) => {
    const value = query[name]
    return typeof value === 'string' ? value : ''
  }
  const from = parseTime(text('from'), 'from')
  const to = parseTime(text('to'), 'to')
  const preset = RANGES.find((range) => range === text('range')) ?? 'all'
  return {
    filters: {
      route: ROUTES.find((route) => route === text('route')) ?? '',
      band: text('band').trim().slice(0, MAX_BAND_LENGTH),
      range: from !== '' || to !== '' ? 'custom' : preset,
      from,
      to,
    },
    before: text('before'),
    follow: text('follow') === '1',
    details: text('details') === '1',
  }
}

/** Creates the query that [`parseView`] parses, without default values. */
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

/** The filters as parameters of the API; `now` in ms since 1970. */
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

/** The filters of a stream. A stream has only new votes, so it has no time range. */
export function streamParameters(filters: Filters): Parameters {
  return present({ route: filters.route, band: filters.band })
}

/** Whether the filters exclude all future votes. Then there is nothing to follow. */
export const endsInThePast = (filters: Filters) => filters.range === 'custom' && filters.to !== ''

/** Formats a time for `<input type="datetime-local">`, in the user's time zone. */
export function toLocalInput(time: string): string {
  if (time === '') return ''
  const at = new Date(time)
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19)
}

/** Parses the value of `<input type="datetime-local">`. */
export const fromLocalInput = (value: string) => toIso(new Date(value))

/**
 * Parses a time of the address like the service: a date is the whole day in UTC, a time without an offset is in UTC, and
 * 10 or 13 digits are seconds or milliseconds since 1970.
 */
function parseTime(text: string, bound: 'from' | 'to'): string {
  if (/^\d{10}$/.test(text)) return toIso(new Date(Number(text) * 1000))
  if (/^\d{13}$/.test(text)) return toIso(new Date(Number(text)))
  if (/^\d{4}-\d\d-\d\d$/.test(text)) {
    return toIso(new Date(`${text}T${bound === 'from' ? '00:00:00.000' : '23:59:59.999'}Z`))
  }
  const match = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(.*)$/.exec(text)
  if (!match) return ''
  const [, date = '', clock = '', offset = ''] = match
  // The plus sign of an offset arrives as a space if it is not percent-encoded.
  return toIso(new Date(`${date}T${clock}${offset === '' ? 'Z' : offset.replace(' ', '+').toUpperCase()}`))
}

const toIso = (at: Date) => (Number.isNaN(at.getTime()) ? '' : at.toISOString())

function present(values: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ''))
}
