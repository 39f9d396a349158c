import { onScopeDispose, ref } from 'vue'

/** Time between two announcements of new votes, so that a screen reader can finish the sentence. */
export const ANNOUNCE_INTERVAL_MS = 5_000

/** Combines new votes into one sentence every few seconds, for a live region. */
export function useAnnouncer(sentence: (count: number) => string) {
  const message = ref('')
  let pending = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  function flush(): void {
    timer = undefined
    if (pending === 0) return
    message.value = sentence(pending)
    pending = 0
    timer = setTimeout(flush, ANNOUNCE_INTERVAL_MS)
  }

  onScopeDispose(() => {
    clearTimeout(timer)
  })

  return {
    message,
    /** Adds new votes to the next announcement. */
    add(count: number): void {
      pending += count
      if (timer === undefined) flush()
    },
    /** Announces another text immediately. */
    announce(text: string): void {
      message.value = text
    },
  }
}
