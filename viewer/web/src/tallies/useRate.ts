import { ref, watch, type Ref } from 'vue'

/** Long enough that the figure does not jump about. */
const SPAN_MS = 10_000

interface Reading {
  at: number
  total: number
}

/** How fast a total grows, per second; null until two readings tell. */
export function useRate(total: Ref<number | undefined>, at: Ref<number | undefined>): Ref<number | null> {
  const rate = ref<number | null>(null)
  let readings: Reading[] = []
  watch(at, (now) => {
    if (now === undefined || total.value === undefined) return
    // A total that falls is another stack's.
    if (total.value < (readings.at(-1)?.total ?? 0)) readings = []
    readings = [...readings.filter((reading) => now - reading.at <= SPAN_MS), { at: now, total: total.value }]
    const [first] = readings
    rate.value =
      first === undefined || first.at === now ? null : ((total.value - first.total) * 1000) / (now - first.at)
  })
  return rate
}
