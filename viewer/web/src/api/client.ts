import type { Comparison, Report, Status, Tallies, VotePage, Window } from './types'

/** Longer than the service's own time limits, so that its error arrives before this timeout. */
const TIMEOUT_MS = 15_000

/** The kinds of failure for which a page shows different texts. */
export type FailureKind =
  'not_configured' | 'unavailable' | 'too_many' | 'invalid' | 'slow' | 'offline' | 'other'

export class ApiError extends Error {
  override readonly name = 'ApiError'

  constructor(
    readonly kind: FailureKind,
    /** The service's own description, in English; empty if there is none. */
    readonly detail: string,
    /** Seconds after which the client may retry, from the `Retry-After` header. */
    readonly retryAfter: number | null = null,
  ) {
    super(detail === '' ? kind : `${kind}: ${detail}`)
  }
}

export type Parameters = Record<string, string>

/** Returns `path?parameters`, in the order of the record. */
export function address(path: string, parameters: Parameters = {}): string {
  const query = new URLSearchParams(parameters).toString()
  return query === '' ? path : `${path}?${query}`
}

async function get<Body>(path: string, parameters: Parameters, signal?: AbortSignal): Promise<Body> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS)
  try {
    const response = await fetch(address(path, parameters), {
      headers: { accept: 'application/json' },
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    })
    if (!response.ok) throw await toApiError(response)
    return (await response.json()) as Body
  } catch (error) {
    if (error instanceof ApiError) throw error
    // A caller that aborted gets its own reason and not a failure.
    if (signal?.aborted === true) throw signal.reason
    if (timeout.aborted) throw new ApiError('slow', '')
    throw new ApiError('offline', '')
  }
}

interface Problem {
  title?: string
  detail?: string
  code?: string
  errors?: { field: string; message: string }[]
}

async function toApiError(response: Response): Promise<ApiError> {
  const problem = (await response.json().catch(() => ({}))) as Problem
  const fields = (problem.errors ?? []).map(({ field, message }) => `${field}: ${message}`)
  const detail =
    fields.length > 0 ? fields.join('; ') : (problem.detail ?? problem.title ?? response.statusText)
  const seconds = Number.parseInt(response.headers.get('retry-after') ?? '', 10)
  return new ApiError(
    kindOf(response.status, problem.code),
    detail,
    Number.isFinite(seconds) ? seconds : null,
  )
}

function kindOf(status: number, code: string | undefined): FailureKind {
  if (code === 'not_configured') return 'not_configured'
  if (status === 400 || status === 422) return 'invalid'
  if (status === 429) return 'too_many'
  if (status === 503) return 'unavailable'
  if (status === 504) return 'slow'
  return 'other'
}

export const fetchVotes = (parameters: Parameters, signal?: AbortSignal) =>
  get<VotePage>('/api/logs', parameters, signal)

export const fetchBands = (signal?: AbortSignal) => get<string[]>('/api/bands', {}, signal)

export const fetchTallies = (top: number, signal?: AbortSignal) =>
  get<Tallies>('/api/tallies', { top: String(top) }, signal)

export const fetchComparison = (window: Window, signal?: AbortSignal) =>
  get<Comparison>('/api/compare', { window }, signal)

export const fetchReports = (signal?: AbortSignal) => get<Report[]>('/api/reports', {}, signal)

export const fetchStatus = (signal?: AbortSignal) => get<Status>('/api/status', {}, signal)

/** The address from which the browser downloads votes as NDJSON. */
export const exportAddress = (parameters: Parameters) => address('/api/logs/export', parameters)

/** The address of the stream of new votes. */
export const streamAddress = (parameters: Parameters) => address('/api/logs/stream', parameters)

export const reportAddress = (report: Report) => `/reports/${encodeURIComponent(report.name)}/report.html`
