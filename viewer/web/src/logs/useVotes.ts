import { onScopeDispose, ref, shallowRef } from 'vue'

import { ApiError, fetchVotes, type FailureKind, type Parameters } from '../api/client'
import type { Vote, VotesEvent } from '../api/types'
import { PAGE_SIZE } from './filters'
import { eventLines, countVotes, merge, MAX_LINES, resume, voteLines, type Line } from './lines'

/** Pause before a request is repeated after a temporary failure. */
export const LOAD_RETRY_MS = 5_000

const PERMANENT_FAILURES: readonly FailureKind[] = ['invalid', 'not_configured']

/** The lines of the page, and the functions that change them. */
export function useVotes() {
  const lines = shallowRef<Line[]>([])
  /** The cursor of the page with older votes. */
  const next = ref<string | null>(null)
  const loading = ref(false)
  const error = shallowRef<ApiError>()
  /** When a response or an event last changed the lines, in ms since 1970. */
  const updatedAt = ref<number>()
  let current = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  /** Lines from the stream that arrived during a request. The response may be older than they are. */
  let streamed: Line[] = []

  async function fetchPage(
    parameters: Parameters,
    limit: number,
    apply: (page: LoadedPage) => void,
  ): Promise<void> {
    stop()
    const request = (current = new AbortController())
    loading.value = true
    streamed = []
    try {
      const page = await fetchVotes({ ...parameters, limit: String(limit) }, request.signal)
      if (request.signal.aborted) return
      apply({ votes: page.votes, next: page.next, streamed })
      updatedAt.value = Date.now()
      error.value = undefined
    } catch (failure) {
      if (request.signal.aborted) return
      error.value = failure instanceof ApiError ? failure : new ApiError('other', String(failure))
      scheduleRetry(error.value, () => void fetchPage(parameters, limit, apply))
    }
    loading.value = false
  }

  /** Repeats a request after a pause. While the page is hidden, it waits for another pause. */
  function scheduleRetry(failure: ApiError, retry: () => void): void {
    if (PERMANENT_FAILURES.includes(failure.kind)) return
    const pause = Math.max(LOAD_RETRY_MS, (failure.retryAfter ?? 0) * 1000)
    timer = setTimeout(() => {
      if (document.hidden) scheduleRetry(failure, retry)
      else retry()
    }, pause)
  }

  function stop(): void {
    current.abort()
    clearTimeout(timer)
  }

  /** Replaces the lines with a page. */
  const load = (parameters: Parameters, before = '') =>
    fetchPage(before === '' ? parameters : { ...parameters, before }, PAGE_SIZE, (page) => {
      lines.value = merge(voteLines(page.votes), page.streamed)
      next.value = page.next
    })

  /** Adds the votes that arrived while the stream was interrupted, and a gap if some may be missing. */
  const catchUp = (parameters: Parameters) =>
    fetchPage(parameters, MAX_LINES, (page) => {
      lines.value = resume(lines.value, page.votes, page.next === null)
    })

  /** Loads the newest page and returns the cursor of the next page. */
  async function newestCursor(parameters: Parameters): Promise<string | null> {
    await load(parameters)
    return error.value === undefined ? next.value : null
  }

  /** Adds an event of the stream. Returns its number of votes, including skipped ones. */
  function receive(event: VotesEvent): number {
    const more = eventLines(event)
    streamed.push(...more)
    lines.value = merge(lines.value, more)
    updatedAt.value = Date.now()
    return countVotes(more) + event.skipped
  }

  onScopeDispose(stop)

  return { lines, next, loading, error, updatedAt, load, catchUp, newestCursor, receive }
}

interface LoadedPage {
  votes: Vote[]
  next: string | null
  streamed: Line[]
}
