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
  /** The time back to which the log was searched to fill the page; undefined if the page is complete. */
  const searchedUntil = ref<string>()
  /** Whether the search is going on. */
  const searching = ref(false)
  /** When a response or an event last changed the lines, in ms since 1970. */
  const updatedAt = ref<number>()
  let current = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  /** Lines from the stream that arrived during a request. The response may be older than they are. */
  let streamed: Line[] = []

  /** Starts a new page. Requests in progress end. */
  function begin(): AbortController {
    stop()
    loading.value = true
    searching.value = false
    streamed = []
    return (current = new AbortController())
  }

  /**
   * Fetches a page, in several requests if the service stopped its search before the page was full. After a temporary
   * failure, it continues from there.
   */
  async function fetchPage(
    request: AbortController,
    parameters: Parameters,
    limit: number,
    apply: (page: LoadedPage) => void,
    found: Vote[] = [],
  ): Promise<void> {
    let query = parameters
    try {
      for (;;) {
        const missing = String(limit - found.length)
        const page = await fetchVotes({ ...query, limit: missing }, request.signal)
        if (request.signal.aborted) return
        found.push(...page.votes)
        apply({ votes: found, next: page.next, searchedUntil: page.searched_until, streamed })
        updatedAt.value = Date.now()
        error.value = undefined
        if (!searching.value || page.next === null) break
        query = { ...parameters, before: page.next }
      }
    } catch (failure) {
      if (request.signal.aborted) return
      searching.value = false
      error.value = failure instanceof ApiError ? failure : new ApiError('other', String(failure))
      scheduleRetry(error.value, () => {
        loading.value = true
        void fetchPage(request, query, limit, apply, found)
      })
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

  /** Ends the search that fills the page. `next` continues it. */
  function stopSearch(): void {
    stop()
    searching.value = false
    loading.value = false
  }

  /** Replaces the lines with a page. */
  function load(parameters: Parameters, before = ''): Promise<void> {
    const request = begin()
    searchedUntil.value = undefined
    const query = before === '' ? parameters : { ...parameters, before }
    return fetchPage(request, query, PAGE_SIZE, (page) => {
      lines.value = merge(voteLines(page.votes), page.streamed)
      next.value = page.next
      searchedUntil.value = page.searchedUntil
      searching.value = page.searchedUntil !== undefined
    })
  }

  /** Adds the votes that arrived while the stream was interrupted, and a gap if some may be missing. */
  const catchUp = (parameters: Parameters) =>
    fetchPage(begin(), parameters, MAX_LINES, (page) => {
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

  return {
    lines,
    next,
    loading,
    error,
    updatedAt,
    searchedUntil,
    searching,
    load,
    stopSearch,
    catchUp,
    newestCursor,
    receive,
  }
}

interface LoadedPage {
  votes: Vote[]
  next: string | null
  searchedUntil: string | undefined
  streamed: Line[]
}
