import { ref, watch, type Ref } from 'vue'

/** Length of the averaging window: long enough for a stable figure. */
const WINDOW_MS = 10_000

interface Reading {
  at: number
  total: number
}

/** The growth of a total per second; null until there are two readings. */
export function useRate(total: Ref<number | undefined>, at: Ref<number | undefined>): Ref<number | null> {
  const rate = ref<number | null>(null)
  let readings: Reading[] = []
  watch(at, (now) => {
    if (now === undefined || total.value === undefined) return
    // A total only decreases if the counts were reset.
    if (total.value < (readings.at(-1)?.total ?? 0)) readings = []
    readings = [
      ...readings.filter((reading) => now - reading.at <= WINDOW_MS),
      { at: now, total: total.value },
    ]
    const [first] = readings
    rate.value =
      first === undefined || first.at === now ? null : ((total.value - first.total) * 1000) / (now - first.at)
  })
  return rate
}
