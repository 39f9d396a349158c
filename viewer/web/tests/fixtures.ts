import { effectScope, type EffectScope } from 'vue'

import type { Route, Vote } from '../src/api/types'

/** Vote number `index`. Each vote is received one second after the previous one. */
export function vote(index: number, change: Partial<Vote> = {}): Vote {
  const received = new Date(Date.UTC(2026, 10, 25, 2, 0, index))
  return {
    vote_id: `018f0000-0000-7000-8000-${String(index).padStart(12, '0')}`,
    name: 'Alux Nahual',
    album: 'Centroamérica',
    year: '1984',
    rank: '9.5',
    route: 'rest' as Route,
    received_at: received.toISOString(),
    consumed_at: new Date(received.getTime() + 12).toISOString(),
    partition: index % 6,
    offset: index,
    ...change,
  }
}

/** The votes with these numbers. */
export const votes = (...indexes: number[]) => indexes.map((index) => vote(index))

/** Runs a composable outside of a component. `scope.stop()` has the effect of unmounting. */
export function runInScope<Result>(work: () => Result): { result: Result; scope: EffectScope } {
  const scope = effectScope()
  const result = scope.run(work)
  if (result === undefined) throw new Error('the composable returned nothing')
  return { result, scope }
}

/** A response of the service. */
export const json = (body: unknown, init: ResponseInit = {}) =>
  new Response(JSON.stringify(body), { headers: { 'content-type': 'application/json' }, ...init })
