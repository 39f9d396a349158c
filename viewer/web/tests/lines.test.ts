import { describe, expect, it } from 'vitest'

import { eventLines, countVotes, merge, MAX_LINES, ndjson, resume, voteLines } from '../src/logs/lines'
import { vote, votes } from './fixtures'

const keys = (lines: { key: string }[]) => lines.map((line) => line.key)

describe('merge', () => {
  it('sorts votes oldest first without duplicates, in any order of arrival', () => {
    const lines = merge(voteLines(votes(3, 1)), voteLines(votes(2, 3, 4)))
    expect(keys(lines)).toEqual(votes(1, 2, 3, 4).map((one) => one.vote_id))
  })

  it('keeps the order of equal times', () => {
    const [first, second] = [vote(1), vote(2, { received_at: vote(1).received_at })]
    expect(keys(merge(voteLines([second]), voteLines([first])))).toEqual([first.vote_id, second.vote_id])
  })

  it('drops the oldest beyond the limit', () => {
    const all = Array.from({ length: MAX_LINES + 7 }, (_, index) => vote(index))
    const lines = merge(voteLines(all), [])
    expect(lines).toHaveLength(MAX_LINES)
    expect(lines[0]?.key).toBe(vote(7).vote_id)
  })
})

it('skipped votes of an event become a gap before its votes', () => {
  const lines = merge(voteLines(votes(1)), eventLines({ votes: votes(9, 8), skipped: 40 }))
  expect(lines.map((line) => (line.kind === 'gap' ? line.skipped : line.vote.offset))).toEqual([1, 40, 8, 9])
  expect(countVotes(lines)).toBe(3)
})

describe('after an interruption', () => {
  it('overlapping lines continue without a gap', () => {
    expect(keys(resume(voteLines(votes(1, 2)), votes(4, 3, 2), false))).toEqual(
      votes(1, 2, 3, 4).map((one) => one.vote_id),
    )
  })

  it('lines that do not overlap have a gap between them', () => {
    const lines = resume(voteLines(votes(1, 2)), votes(9, 8), false)
    expect(lines.map((line) => line.kind)).toEqual(['vote', 'vote', 'gap', 'vote', 'vote'])
  })

  it('there is no gap if the page has every vote or no line was shown', () => {
    expect(resume(voteLines(votes(1)), votes(3, 2), true).every((line) => line.kind === 'vote')).toBe(true)
    expect(resume([], votes(3, 2), false).every((line) => line.kind === 'vote')).toBe(true)
  })
})

it('NDJSON contains the votes as received, and no gaps', () => {
  const text = ndjson(eventLines({ votes: votes(1, 2), skipped: 3 }))
  expect(text.endsWith('\n')).toBe(true)
  expect(
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual(votes(1, 2))
})
