import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { nextTick, ref } from 'vue'

import { ApiError } from '../src/api/client'
import { usePolling } from '../src/shared/usePolling'
import { runInScope } from './fixtures'

const hidden = vi.fn(() => false)

function setHidden(isHidden: boolean): void {
  hidden.mockReturnValue(isHidden)
  document.dispatchEvent(new Event('visibilitychange'))
}

beforeEach(() => {
  vi.useFakeTimers()
  hidden.mockReturnValue(false)
  vi.spyOn(document, 'hidden', 'get').mockImplementation(hidden)
})
afterEach(() => {
  vi.useRealTimers()
})

describe('polling', () => {
  it('requests immediately, again after each response, and stops with its scope', async () => {
    const load = vi.fn(() => Promise.resolve(load.mock.calls.length))
    const { result, scope } = runInScope(() => usePolling(load, { intervalMs: 2_000 }))
    await vi.advanceTimersByTimeAsync(0)
    expect(result.data.value).toBe(1)
    await vi.advanceTimersByTimeAsync(4_000)
    expect(result.data.value).toBe(3)
    scope.stop()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(load).toHaveBeenCalledTimes(3)
  })

  it('pauses while hidden and requests immediately when visible', async () => {
    const load = vi.fn(() => Promise.resolve('fresh'))
    const { scope } = runInScope(() => usePolling(load, { intervalMs: 2_000 }))
    await vi.advanceTimersByTimeAsync(0)
    setHidden(true)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(load).toHaveBeenCalledTimes(1)
    setHidden(false)
    await vi.advanceTimersByTimeAsync(0)
    expect(load).toHaveBeenCalledTimes(2)
    scope.stop()
  })

  it('keeps the last data after a failure until the next response', async () => {
    const load = vi.fn<() => Promise<string>>().mockResolvedValueOnce('old')
    load.mockRejectedValueOnce(new ApiError('unavailable', '')).mockResolvedValueOnce('new')
    const { result, scope } = runInScope(() => usePolling(load, { intervalMs: 2_000 }))
    await vi.advanceTimersByTimeAsync(2_000)
    expect([result.data.value, result.error.value?.kind]).toEqual(['old', 'unavailable'])
    await vi.advanceTimersByTimeAsync(2_000)
    expect([result.data.value, result.error.value]).toEqual(['new', undefined])
    scope.stop()
  })

  it('waits for the time in Retry-After', async () => {
    const load = vi.fn(() => Promise.reject(new ApiError('too_many', '', 9)))
    const { scope } = runInScope(() => usePolling(load, { intervalMs: 2_000 }))
    await vi.advanceTimersByTimeAsync(8_900)
    expect(load).toHaveBeenCalledTimes(1)
    await vi.advanceTimersByTimeAsync(200)
    expect(load).toHaveBeenCalledTimes(2)
    scope.stop()
  })

  it('drops the response to an outdated request', async () => {
    const input = ref('slow')
    const load = (signal: AbortSignal) =>
      new Promise<string>((resolve) => {
        const requested = input.value
        setTimeout(() => resolve(`${requested} ${String(signal.aborted)}`), requested === 'slow' ? 1_000 : 10)
      })
    const { result, scope } = runInScope(() => usePolling(load, { intervalMs: 60_000, dependsOn: [input] }))
    input.value = 'quick'
    await nextTick()
    await vi.advanceTimersByTimeAsync(5_000)
    expect(result.data.value).toBe('quick false')
    scope.stop()
  })
})
