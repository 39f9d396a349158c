import type { Vote, VoteBurst } from '../api/types'

/** More lines than anybody reads; what is older is a page away. */
export const MOST_LINES = 200

export interface VoteLine {
  kind: 'vote'
  key: string
  /** RFC 3339, UTC, always of the same length: such times sort as text. */
  at: string
  vote: Vote
  /** It came while the page was followed. */
  fresh: boolean
}

/** Votes that are not among the lines: so many, or nobody knows whether any. */
export interface GapLine {
  kind: 'gap'
  key: string
  /** It stands before what came at this time. */
  at: string
  skipped: number | null
}

export type Line = VoteLine | GapLine

export const voteLines = (votes: readonly Vote[], fresh = false): VoteLine[] =>
  votes.map((vote) => ({ kind: 'vote', key: vote.vote_id, at: vote.received_at, vote, fresh }))

/** The lines of an event of the stream, with a gap before them where some were left out. */
export function burstLines(burst: VoteBurst): Line[] {
  const lines: Line[] = voteLines(burst.votes, true)
  const first = earliest(burst.votes)
  if (burst.skipped > 0 && first !== undefined) lines.push(gapLine(first, burst.skipped))
  return lines
}

/** Both, oldest first, each once, the newest [`MOST_LINES`]. */
export function merge(known: readonly Line[], more: readonly Line[]): Line[] {
  const all = new Map<string, Line>()
  for (const line of known) all.set(line.key, line)
  for (const line of more) if (!all.has(line.key)) all.set(line.key, line)
  return [...all.values()].sort(inOrder).slice(-MOST_LINES)
}

/**
 * The newest page put after lines that were shown before a break: with a gap between them, unless they touch or the
 * page reaches back to the very first vote.
 */
export function resume(known: readonly Line[], page: readonly Vote[], isAll: boolean): Line[] {
  const ids = new Set(page.map((vote) => vote.vote_id))
  const touches = known.length === 0 || known.some((line) => ids.has(line.key))
  const first = earliest(page)
  const lines: Line[] = voteLines(page, true)
  if (!touches && !isAll && first !== undefined) lines.push(gapLine(first, null))
  return merge(known, lines)
}

/** The votes among the lines as NDJSON, with the line end that a file has. */
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

function inOrder(left: Line, right: Line): number {
  if (left.at !== right.at) return left.at < right.at ? -1 : 1
  if (left.kind !== right.kind) return left.kind === 'gap' ? -1 : 1
  return left.key < right.key ? -1 : 1
}
