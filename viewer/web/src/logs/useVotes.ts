import { onScopeDispose, ref, shallowRef } from 'vue'

import { ApiError, fetchVotes, type FailureKind, type Parameters } from '../api/client'
import type { Vote, VoteBurst } from '../api/types'
import { PAGE_SIZE } from './filters'
import { burstLines, countVotes, merge, MOST_LINES, resume, voteLines, type Line } from './lines'

/** After a failure that may pass. */
export const ASK_AGAIN_MS = 5_000

const LASTING: readonly FailureKind[] = ['invalid', 'not_configured']

/** The lines that the page shows, and how they change. */
export function useVotes() {
  const lines = shallowRef<Line[]>([])
  /** Leads to the page of older votes. */
  const next = ref<string | null>(null)
  const loading = ref(false)
  const error = shallowRef<ApiError>()
  /** When the lines last changed by an answer or an event, in ms since 1970. */
  const updatedAt = ref<number>()
  let turn = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  /** What the stream brought while an answer was awaited: the answer may be older. */
  let meanwhile: Line[] = []

  async function ask(
    parameters: Parameters,
    limit: number,
    take: (page: PageOfLines) => void,
  ): Promise<void> {
    stop()
    const mine = (turn = new AbortController())
    loading.value = true
    meanwhile = []
    try {
      const page = await fetchVotes({ ...parameters, limit: String(limit) }, mine.signal)
      if (mine.signal.aborted) return
      take({ votes: page.votes, next: page.next, meanwhile })
      updatedAt.value = Date.now()
      error.value = undefined
    } catch (failure) {
      if (mine.signal.aborted) return
      error.value = failure instanceof ApiError ? failure : new ApiError('other', String(failure))
      askAgain(error.value, () => void ask(parameters, limit, take))
    }
    loading.value = false
  }

  /** Not while nobody looks. */
  function askAgain(failure: ApiError, question: () => void): void {
    if (LASTING.includes(failure.kind)) return
    const pause = Math.max(ASK_AGAIN_MS, (failure.retryAfter ?? 0) * 1000)
    timer = setTimeout(() => {
      if (document.hidden) askAgain(failure, question)
      else question()
    }, pause)
  }

  function stop(): void {
    turn.abort()
    clearTimeout(timer)
  }

  /** Shows a page in place of what is there. */
  const load = (parameters: Parameters, before = '') =>
    ask(before === '' ? parameters : { ...parameters, before }, PAGE_SIZE, (page) => {
      lines.value = merge(voteLines(page.votes), page.meanwhile)
      next.value = page.next
    })

  /** Adds what came during a break of the stream, and a gap where it cannot be all. */
  const catchUp = (parameters: Parameters) =>
    ask(parameters, MOST_LINES, (page) => {
      lines.value = resume(lines.value, page.votes, page.next === null)
    })

  /** Shows the newest page and answers where the next one begins. */
  async function newestCursor(parameters: Parameters): Promise<string | null> {
    await load(parameters)
    return error.value === undefined ? next.value : null
  }

  /** Adds what the stream brings; answers how many votes that are. */
  function receive(burst: VoteBurst): number {
    const more = burstLines(burst)
    meanwhile.push(...more)
    lines.value = merge(lines.value, more)
    updatedAt.value = Date.now()
    return countVotes(more) + burst.skipped
  }

  onScopeDispose(stop)

  return { lines, next, loading, error, updatedAt, load, catchUp, newestCursor, receive }
}

interface PageOfLines {
  votes: Vote[]
  next: string | null
  meanwhile: Line[]
}
