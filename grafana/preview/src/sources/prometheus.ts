import {
  FieldType,
  rangeUtil,
  type DataFrame,
  type DataQueryRequest,
  type DataQueryResponse,
  type MetricFindValue,
} from '@grafana/data'
import { getTemplateSrv, RuntimeDataSource } from '@grafana/runtime'
import type { DataQuery } from '@grafana/schema'

/** A query of a panel. */
interface PromQuery extends DataQuery {
  expr: string
  legendFormat: string
  format: 'time_series' | 'heatmap'
  instant: boolean
}

/** A series of an answer: `values` of a range query, `value` of an instant query. */
interface Series {
  metric: Record<string, string>
  values?: [number, string][]
  value?: [number, string]
}

/** The scrape interval of the provisioned data source (`timeInterval`). */
const SCRAPE_INTERVAL = '5s'
/** Grafana's rate interval contains at least this number of scrapes. */
const SCRAPES_OF_RATE = 4

/** Prometheus, by its HTTP API. */
export class PrometheusDataSource extends RuntimeDataSource {
  constructor(uid: string, name: string) {
    super('prometheus', uid)
    this.instanceSettings.name = name
    // The lower limit of the step.
    this.interval = SCRAPE_INTERVAL
  }

  async query(request: DataQueryRequest): Promise<DataQueryResponse> {
    const frames = await Promise.all(request.targets.map((target) => run(target as PromQuery, request)))
    return { data: frames.flat() }
  }

  /** Resolves `label_values(METRIC, LABEL)`. */
  async metricFindQuery(query: { query: string }): Promise<MetricFindValue[]> {
    const [, metric, label] = /^label_values\((\w+), *(\w+)\)$/.exec(query.query) ?? []
    if (metric === undefined || label === undefined)
      throw new Error(`unknown query of a variable: ${query.query}`)
    const values = await get<string[]>(`label/${label}/values`, { 'match[]': metric })
    return values.map((text) => ({ text }))
  }
}

async function run(target: PromQuery, request: DataQueryRequest): Promise<DataFrame[]> {
  const step = request.intervalMs / 1000
  const scrape = rangeUtil.intervalToSeconds(SCRAPE_INTERVAL)
  const rateInterval = `${String(Math.max(step + scrape, SCRAPES_OF_RATE * scrape))}s`
  const scopedVars = { ...request.scopedVars, __rate_interval: { text: rateInterval, value: rateInterval } }
  const query = getTemplateSrv().replace(target.expr, scopedVars, asRegex)
  const [from, to] = [request.range.from.valueOf() / 1000, request.range.to.valueOf() / 1000]
  // As in Grafana, the samples are at multiples of the step, so that they do not move when the range moves.
  const aligned = (time: number) => String(Math.floor(time / step) * step)
  const { result } = target.instant
    ? await get<{ result: Series[] }>('query', { query, time: String(to) })
    : await get<{ result: Series[] }>('query_range', {
        query,
        start: aligned(from),
        end: aligned(to),
        step: String(step),
      })
  const series = target.format === 'heatmap' ? withoutLowerBuckets(result) : result
  return series.map((one) => toFrame(one, target, request.intervalMs))
}

async function get<T>(path: string, query: Record<string, string>): Promise<T> {
  const response = await fetch(`/prometheus/api/v1/${path}?${String(new URLSearchParams(query))}`)
  const answer = (await response.json()) as { status: string; data: T; error?: string }
  if (answer.status !== 'success') throw new Error(answer.error ?? response.statusText)
  return answer.data
}

/** The value of a variable in a query: several values are alternatives of a regular expression. */
function asRegex(value: string | string[]): string {
  const escape = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\\\$&')
  return Array.isArray(value) ? `(${value.map(escape).join('|')})` : escape(value)
}

function toFrame({ metric, values, value }: Series, target: PromQuery, interval: number): DataFrame {
  const samples = values ?? (value ? [value] : [])
  const name = target.legendFormat.replace(/\{\{ *(\w+) *\}\}/g, (_, label: string) => metric[label] ?? '')
  return {
    refId: target.refId,
    name,
    length: samples.length,
    fields: [
      // The interval makes missing samples visible as gaps.
      {
        name: 'Time',
        type: FieldType.time,
        config: { interval },
        values: samples.map(([time]) => time * 1000),
      },
      {
        name: 'Value',
        type: FieldType.number,
        labels: metric,
        config: { displayNameFromDS: name },
        values: samples.map(([, number]) => Number(number)),
      },
    ],
  }
}

/** Sorts the buckets of a histogram, and subtracts from each the next lower one: buckets of Prometheus are cumulative. */
function withoutLowerBuckets(series: Series[]): Series[] {
  const bound = ({ metric }: Series) => Number((metric.le ?? '').replace('Inf', 'Infinity'))
  const sorted = [...series].sort((left, right) => bound(left) - bound(right))
  return sorted.map((one, index) => {
    const lower = new Map(sorted[index - 1]?.values)
    const values = one.values?.map(([time, count]): [number, string] => [
      time,
      String(Math.max(0, Number(count) - Number(lower.get(time) ?? 0))),
    ])
    return { ...one, values }
  })
}
