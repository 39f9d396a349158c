import { onScopeDispose, ref, shallowRef, watch, type WatchSource } from 'vue'

import { ApiError } from '../api/client'

/** Minimum interval while a store is not configured: this does not change within seconds. */
const NOT_CONFIGURED_INTERVAL_MS = 30_000

interface Options {
  /** Time from a response to the next request. */
  intervalMs: number
  /** A change of one of these sends a new request immediately. */
  dependsOn?: WatchSource[]
}

/**
 * Repeats a request while the page is visible. After a failure `data` keeps the last response and `error` is set.
 */
export function usePolling<Data>(load: (signal: AbortSignal) => Promise<Data>, options: Options) {
  const data = shallowRef<Data>()
  const error = shallowRef<ApiError>()
  /** When `data` was received, in ms since 1970. */
  const updatedAt = ref<number>()
  let current = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined

  async function run(): Promise<void> {
    current.abort()
    clearTimeout(timer)
    const request = (current = new AbortController())
    try {
      const loaded = await load(request.signal)
      if (request.signal.aborted) return
      data.value = loaded
      updatedAt.value = Date.now()
      error.value = undefined
    } catch (failure) {
      if (request.signal.aborted) return
      error.value = failure instanceof ApiError ? failure : new ApiError('other', String(failure))
    }
    if (!document.hidden) timer = setTimeout(() => void run(), pause(error.value))
  }

  function pause(failure: ApiError | undefined): number {
    if (failure?.kind === 'not_configured') return Math.max(NOT_CONFIGURED_INTERVAL_MS, options.intervalMs)
    return Math.max(options.intervalMs, (failure?.retryAfter ?? 0) * 1000)
  }

  function stop(): void {
    current.abort()
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
  if (options.dependsOn) watch(options.dependsOn, () => void run())
  void run()

  return { data, error, updatedAt, refresh: run }
}
