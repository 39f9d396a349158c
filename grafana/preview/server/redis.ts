import { createClient } from '@redis/client'

/** One row, with a number for each column. */
export type Row = Record<string, number>

const client = createClient({ url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379' })
// Without a listener, a lost connection would end the process. The commands report the error.
client.on('error', () => undefined)

/**
 * Runs one of the reading commands that the dashboards use, and returns the row that Grafana's Redis plugin returns.
 * Other commands are rejected, so that the page cannot change the store.
 */
export async function readTally(query: URLSearchParams): Promise<Row> {
  const key = query.get('keyName') ?? ''
  if (!client.isOpen) await client.connect()
  switch (query.get('command')) {
    case 'get':
      return { Value: Number(await client.get(key)) }
    case 'hgetall':
      return Object.fromEntries(
        Object.entries(await client.hGetAll(key)).map(([field, value]) => [field, Number(value)]),
      )
    case 'zrange': {
      const members = await client.zRangeWithScores(key, Number(query.get('min')), Number(query.get('max')))
      return Object.fromEntries(members.map(({ value, score }) => [value, score]))
    }
    default:
      throw new Error(
        `the Redis command ${query.get('command') ?? ''} is not allowed: get, hgetall or zrange`,
      )
  }
}
