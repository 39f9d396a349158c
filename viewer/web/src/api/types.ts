/** The responses of the viewer's service. Times are RFC 3339, UTC, with milliseconds. A value without data is null. */

/** The routes of votes into Kafka, in the order of every page. */
export const ROUTES = ['rest', 'grpc', 'bridge'] as const
export type Route = (typeof ROUTES)[number]

export interface Vote {
  vote_id: string
  name: string
  album: string
  year: string
  rank: string
  route: Route
  received_at: string
  consumed_at: string
  partition: number
  offset: number
}

export interface VotePage {
  /** Newest first. */
  votes: Vote[]
  /** The cursor of the next page with older votes; null on the last page. */
  next: string | null
  /** The time up to which the search got, if it stopped before the page was full. `next` continues it. */
  searched_until?: string
}

/** The data of an event `votes` of the stream. */
export interface VotesEvent {
  /** The newest votes of the event. */
  votes: Vote[]
  /** How many older votes of the event were left out. */
  skipped: number
}

export interface Tallies {
  total: number
  bands: { name: string; votes: number }[]
  /** The label is unique. */
  albums: { label: string; band: string; album: string; votes: number }[]
  routes: { route: Route; votes: number }[]
}

/** The stages of a vote in the service of its route, in order. */
export const STAGES = ['decode', 'validate', 'encode', 'publish', 'reply'] as const
export type Stage = (typeof STAGES)[number]

export const WINDOWS = ['1m', '5m', '15m', '1h'] as const
export type Window = (typeof WINDOWS)[number]

export interface RouteFigures {
  route: Route
  p50_ms: number | null
  p95_ms: number | null
  p99_ms: number | null
  votes_per_s: number | null
  errors_per_s: number | null
  stages_ms: Record<Stage, number | null>
}

/** The measures of the plot. */
export type Measure = 'p50_ms' | 'p95_ms' | 'p99_ms' | 'votes_per_s'

export type SeriesPoint = { t: string } & Record<Measure, number | null>

export interface Comparison {
  window: Window
  step_s: number
  routes: RouteFigures[]
  series: { route: Route; points: SeriesPoint[] }[]
}

export interface Report {
  name: string
  created: string
  kind: 'compare' | 'demo'
  summary: string
}

export type StoreState = 'ok' | 'unavailable' | 'not_configured'

/** The sources of data; each is one store. */
export const SOURCES = ['logs', 'tallies', 'metrics', 'reports'] as const
export type Source = (typeof SOURCES)[number]

export type Status = { version: string } & Record<Source, StoreState>
