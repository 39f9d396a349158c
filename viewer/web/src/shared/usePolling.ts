import { onScopeDispose, ref, shallowRef, watch, type WatchSource } from 'vue'

import { ApiError } from '../api/client'

/** What is not set up may be set up one day, but hardly within seconds. */
const UNHURRIED_MS = 30_000

interface Options {
  /** From an answer to the next question. */
  everyMs: number
  /** What the question depends on: a change asks anew at once. */
  on?: WatchSource[]
}

/**
 * Asks again and again while the page is visible. After a failure the last answer stays, with `error` beside it.
 */
export function usePolling<Answer>(ask: (signal: AbortSignal) => Promise<Answer>, options: Options) {
  const answer = shallowRef<Answer>()
  const error = shallowRef<ApiError>()
  /** When `answer` came, in ms since 1970. */
  const answeredAt = ref<number>()
  let turn = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined

  async function run(): Promise<void> {
    turn.abort()
    clearTimeout(timer)
    const mine = (turn = new AbortController())
    try {
      const fresh = await ask(mine.signal)
      if (mine.signal.aborted) return
      answer.value = fresh
      answeredAt.value = Date.now()
      error.value = undefined
    } catch (failure) {
      if (mine.signal.aborted) return
      error.value = failure instanceof ApiError ? failure : new ApiError('other', String(failure))
    }
    if (!document.hidden) timer = setTimeout(() => void run(), pause(error.value))
  }

  function pause(failure: ApiError | undefined): number {
    if (failure?.kind === 'not_configured') return Math.max(UNHURRIED_MS, options.everyMs)
    return Math.max(options.everyMs, (failure?.retryAfter ?? 0) * 1000)
  }

  function stop(): void {
    turn.abort()
    clearTimeout(timer)
  }

  function onVisibility(): void {
    if (document.hidden) stop()
    else void run()
  }

  document.addEventListener('visibilitychange', onVisibility)
  onScopeDispose(() => {
    document.removeEventListener('visibilitychange', onVisibility)
    stop()
  })
  if (options.on) watch(options.on, () => void run())
  void run()

  return { answer, error, answeredAt, refresh: run }
}
