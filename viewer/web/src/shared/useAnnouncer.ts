import { onScopeDispose, ref } from 'vue'

/** Between two announcements of new votes: a sentence must have time to be read out. */
export const ANNOUNCE_EVERY_MS = 5_000

/** Gathers new votes into one sentence every few seconds, for a live region. */
export function useAnnouncer(sentence: (count: number) => string) {
  const message = ref('')
  let waiting = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  function flush(): void {
    timer = undefined
    if (waiting === 0) return
    message.value = sentence(waiting)
    waiting = 0
    timer = setTimeout(flush, ANNOUNCE_EVERY_MS)
  }

  onScopeDispose(() => {
    clearTimeout(timer)
  })

  return {
    message,
    /** Counts new votes; they are announced at the next turn. */
    add(count: number): void {
      waiting += count
      if (timer === undefined) flush()
    },
    /** Announces something else at once. */
    say(text: string): void {
      message.value = text
    },
  }
}
