import { describe, expect, it } from 'vitest'

import { burstLines, countVotes, merge, MOST_LINES, ndjson, resume, voteLines } from '../src/logs/lines'
import { vote, votes } from './some'

const keys = (lines: { key: string }[]) => lines.map((line) => line.key)

describe('merge', () => {
  it('puts every vote once, oldest first, whatever the order of arrival', () => {
    const lines = merge(voteLines(votes(3, 1)), voteLines(votes(2, 3, 4)))
    expect(keys(lines)).toEqual(votes(1, 2, 3, 4).map((one) => one.vote_id))
  })

  it('keeps the order of equal times', () => {
    const [first, second] = [vote(1), vote(2, { received_at: vote(1).received_at })]
    expect(keys(merge(voteLines([second]), voteLines([first])))).toEqual([first.vote_id, second.vote_id])
  })

  it('drops the oldest beyond the limit', () => {
    const all = Array.from({ length: MOST_LINES + 7 }, (_, index) => vote(index))
    const lines = merge(voteLines(all), [])
    expect(lines).toHaveLength(MOST_LINES)
    expect(lines[0]?.key).toBe(vote(7).vote_id)
  })
})

it('votes that an event leaves out are a gap before those that it brings', () => {
  const lines = merge(voteLines(votes(1)), burstLines({ votes: votes(9, 8), skipped: 40 }))
  expect(lines.map((line) => (line.kind === 'gap' ? line.skipped : line.vote.offset))).toEqual([1, 40, 8, 9])
  expect(countVotes(lines)).toBe(3)
})

describe('after a break', () => {
  it('lines that touch go on without a gap', () => {
    expect(keys(resume(voteLines(votes(1, 2)), votes(4, 3, 2), false))).toEqual(
      votes(1, 2, 3, 4).map((one) => one.vote_id),
    )
  })

  it('lines that do not touch have a gap between them', () => {
    const lines = resume(voteLines(votes(1, 2)), votes(9, 8), false)
    expect(lines.map((line) => line.kind)).toEqual(['vote', 'vote', 'gap', 'vote', 'vote'])
  })

  it('there is no gap where the page holds every vote, or nothing was shown', () => {
    expect(resume(voteLines(votes(1)), votes(3, 2), true).every((line) => line.kind === 'vote')).toBe(true)
    expect(resume([], votes(3, 2), false).every((line) => line.kind === 'vote')).toBe(true)
  })
})

it('NDJSON holds the votes as the service gave them, and no gaps', () => {
  const text = ndjson(burstLines({ votes: votes(1, 2), skipped: 3 }))
  expect(text.endsWith('\n')).toBe(true)
  expect(
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual(votes(1, 2))
})
