import { formatLocale } from '.'

const ABSENT = '–'

/** Formats numbers and times in the user's locale. */
export function useFormat() {
  return {
    /** A number of votes. */
    count: (value: number) => value.toLocaleString(formatLocale.value),

    /** A measured value with three significant digits, or as an integer from 100 on; a dash for null. */
    figure: (value: number | null) =>
      value === null
        ? ABSENT
        : value.toLocaleString(
            formatLocale.value,
            Math.abs(value) >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 },
          ),

    /** A share between 0 and 1, as a percentage. */
    percent: (value: number) =>
      value.toLocaleString(formatLocale.value, {
        style: 'percent',
        minimumFractionDigits: 1,
        maximumFractionDigits: 1,
      }),

    /** The time of day, from RFC 3339 or from ms since 1970, with or without seconds. */
    clock: (time: string | number, toSecond = true) =>
      new Date(time).toLocaleTimeString(formatLocale.value, { timeStyle: toSecond ? 'medium' : 'short' }),

    /** Date and time, in short form. */
    dateTime: (time: string) =>
      new Date(time).toLocaleString(formatLocale.value, { dateStyle: 'medium', timeStyle: 'short' }),
  }
}
