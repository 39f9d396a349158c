import { formatLocale } from '.'

const ABSENT = '–'

/** Numbers and times as the reader writes them. */
export function useFormat() {
  return {
    /** Votes. */
    count: (value: number) => value.toLocaleString(formatLocale.value),

    /** A measured value to three digits that count, or to the unit where there are more; a dash where there is none. */
    figure: (value: number | null) =>
      value === null
        ? ABSENT
        : value.toLocaleString(
            formatLocale.value,
            Math.abs(value) >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 },
          ),

    /** A share of one. */
    percent: (value: number) =>
      value.toLocaleString(formatLocale.value, {
        style: 'percent',
        minimumFractionDigits: 1,
        maximumFractionDigits: 1,
      }),

    /** The time of day of an RFC 3339 time or of ms since 1970, to the second or to the minute. */
    clock: (time: string | number, toSecond = true) =>
      new Date(time).toLocaleTimeString(formatLocale.value, { timeStyle: toSecond ? 'medium' : 'short' }),

    /** Date and time, short. */
    moment: (time: string) =>
      new Date(time).toLocaleString(formatLocale.value, { dateStyle: 'medium', timeStyle: 'short' }),
  }
}
