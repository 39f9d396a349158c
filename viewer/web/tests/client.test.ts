import { beforeEach, describe, expect, it, vi } from 'vitest'

import { ApiError, exportAddress, fetchTallies, fetchVotes, reportAddress } from '../src/api/client'
import { json } from './fixtures'

const fetched = vi.fn<typeof fetch>()

beforeEach(() => {
  fetched.mockReset()
  vi.stubGlobal('fetch', fetched)
})

async function failure(): Promise<ApiError> {
  const error: unknown = await fetchTallies(10).catch((reason: unknown) => reason)
  if (!(error instanceof ApiError)) throw new Error(`expected an ApiError, got ${String(error)}`)
  return error
}

describe('addresses', () => {
  it('escape user input', async () => {
    fetched.mockResolvedValue(json({ votes: [], next: null }))
    await fetchVotes({ band: 'Ñ & Co=1', limit: '20' })
    expect(fetched.mock.calls[0]?.[0]).toBe('/api/logs?band=%C3%91+%26+Co%3D1&limit=20')
    expect(exportAddress({})).toBe('/api/logs/export')
    expect(reportAddress({ name: 'a/../b', created: '', kind: 'demo', summary: '' })).toBe(
      '/reports/a%2F..%2Fb/report.html',
    )
  })
})

describe('failures', () => {
  it.each([
    [503, { code: 'not_configured' }, 'not_configured'],
    [503, { code: 'unavailable' }, 'unavailable'],
    [504, {}, 'slow'],
    [500, {}, 'other'],
    [404, {}, 'other'],
  ])('%i with %j is %s', async (status, body, kind) => {
    fetched.mockResolvedValue(json(body, { status }))
    expect((await failure()).kind).toBe(kind)
  })

  it('name the invalid fields', async () => {
    fetched.mockResolvedValue(json({ errors: [{ field: 'top', message: 'too many' }] }, { status: 422 }))
    expect(await failure()).toMatchObject({ kind: 'invalid', detail: 'top: too many' })
  })

  it('contain the time of the next attempt', async () => {
    fetched.mockResolvedValue(json({}, { status: 429, headers: { 'retry-after': '7' } }))
    expect(await failure()).toMatchObject({ kind: 'too_many', retryAfter: 7 })
  })

  it('distinguish an unreachable service from an invalid response', async () => {
    fetched.mockRejectedValue(new TypeError('Failed to fetch'))
    expect((await failure()).kind).toBe('offline')
    fetched.mockResolvedValue(new Response('<html>', { status: 502 }))
    expect((await failure()).kind).toBe('other')
  })

  it('are not reported to a caller that aborted', async () => {
    const controller = new AbortController()
    fetched.mockImplementation(() => {
      controller.abort('gone')
      return Promise.reject(new TypeError('aborted'))
    })
    await expect(fetchTallies(10, controller.signal)).rejects.toBe('gone')
  })
})
