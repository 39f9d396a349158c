import type { Vote, VotesEvent } from '../api/types'

/** Most lines on the page. Older votes are on the older pages. */
export const MAX_LINES = 200

export interface VoteLine {
  kind: 'vote'
  key: string
  /** RFC 3339, UTC. All times have the same length, so they sort as text. */
  at: string
  vote: Vote
  /** Whether the vote arrived from the stream. */
  isNew: boolean
}

/** Marks votes that are not shown. */
export interface GapLine {
  kind: 'gap'
  key: string
  /** The time of the vote after the gap. */
  at: string
  /** The number of votes; null if unknown. */
  skipped: number | null
}

export type Line = VoteLine | GapLine

export const voteLines = (votes: readonly Vote[], isNew = false): VoteLine[] =>
  votes.map((vote) => ({ kind: 'vote', key: vote.vote_id, at: vote.received_at, vote, isNew }))

/** The lines of an event, with a gap before them if the event left out votes. */
export function eventLines(event: VotesEvent): Line[] {
  const lines: Line[] = voteLines(event.votes, true)
  const first = earliest(event.votes)
  if (event.skipped > 0 && first !== undefined) lines.push(gapLine(first, event.skipped))
  return lines
}

/** Combines lines, oldest first, without duplicates. Keeps the newest [`MAX_LINES`]. */
export function merge(known: readonly Line[], more: readonly Line[]): Line[] {
  const all = new Map<string, Line>()
  for (const line of known) all.set(line.key, line)
  for (const line of more) if (!all.has(line.key)) all.set(line.key, line)
  return [...all.values()].sort(compareLines).slice(-MAX_LINES)
}

/**
 * Adds the newest page to the lines from before an interruption. Adds a gap between them, unless they overlap or the page
 * contains all votes.
 */
export function resume(known: readonly Line[], page: readonly Vote[], isAll: boolean): Line[] {
  const ids = new Set(page.map((vote) => vote.vote_id))
  const overlaps = known.length === 0 || known.some((line) => ids.has(line.key))
  const first = earliest(page)
  const lines: Line[] = voteLines(page, true)
  if (!overlaps && !isAll && first !== undefined) lines.push(gapLine(first, null))
  return merge(known, lines)
}

/** The votes of the lines as NDJSON, with a newline at the end. */
export function ndjson(lines: readonly Line[]): string {
  return lines.map((line) => (line.kind === 'vote' ? `${JSON.stringify(line.vote)}\n` : '')).join('')
}

export const countVotes = (lines: readonly Line[]) => lines.filter((line) => line.kind === 'vote').length

function gapLine(vote: Vote, skipped: number | null): GapLine {
  return { kind: 'gap', key: `gap before ${vote.vote_id}`, at: vote.received_at, skipped }
}

function earliest(votes: readonly Vote[]): Vote | undefined {
  return votes.reduce<Vote | undefined>(
    (first, vote) => (first === undefined || vote.received_at < first.received_at ? vote : first),
    undefined,
  )
}

function compareLines(left: Line, right: Line): number {
  if (left.at !== right.at) return left.at < right.at ? -1 : 1
  if (left.kind !== right.kind) return left.kind === 'gap' ? -1 : 1
  return left.key < right.key ? -1 : 1
}
