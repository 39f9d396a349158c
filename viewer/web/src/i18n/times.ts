const two = (value: number) => String(value).padStart(2, '0')

/** A day as logs write it, the same in every language: 2026-11-25. */
export function logDate(time: string): string {
  const at = new Date(time)
  return `${String(at.getFullYear())}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
}

/** A time of day as logs write it, the same in every language: 02:04:56.123. */
export function logTime(time: string): string {
  const at = new Date(time)
  const clock = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':')
  return `${clock}.${String(at.getMilliseconds()).padStart(3, '0')}`
}
