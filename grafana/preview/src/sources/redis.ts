import { FieldType, type DataFrame, type DataQueryRequest, type DataQueryResponse } from '@grafana/data'
import { RuntimeDataSource } from '@grafana/runtime'
import type { DataQuery } from '@grafana/schema'

/** A query of the plugin `redis-datasource`, as far as the dashboards use it. */
interface RedisQuery extends DataQuery {
  command: string
  keyName: string
  min?: string
  max?: string
}

/** Redis, by the reading commands that the server of the preview allows. */
export class RedisDataSource extends RuntimeDataSource {
  constructor(uid: string, name: string) {
    super('redis-datasource', uid)
    this.instanceSettings.name = name
  }

  async query(request: DataQueryRequest): Promise<DataQueryResponse> {
    return { data: await Promise.all(request.targets.map((target) => run(target as RedisQuery))) }
  }
}

/** Runs a command. Like the plugin, it returns one row with a column for each field. */
async function run({ refId, command, keyName, min = '', max = '' }: RedisQuery): Promise<DataFrame> {
  const response = await fetch(`/redis?${String(new URLSearchParams({ command, keyName, min, max }))}`)
  if (!response.ok) throw new Error(await response.text())
  const row = (await response.json()) as Record<string, number>
  const fields = Object.entries(row).map(([name, value]) => ({
    name,
    type: FieldType.number,
    config: {},
    values: [value],
  }))
  return { refId, length: 1, fields }
}
