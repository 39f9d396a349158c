import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { nextTick, ref } from 'vue'

import { ApiError } from '../src/api/client'
import { usePolling } from '../src/shared/usePolling'
import { inScope } from './some'

const hidden = vi.fn(() => false)

function look(away: boolean): void {
  hidden.mockReturnValue(away)
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
  it('asks at once, then again after each answer, and ends with its scope', async () => {
    const ask = vi.fn(() => Promise.resolve(ask.mock.calls.length))
    const { result, scope } = inScope(() => usePolling(ask, { everyMs: 2_000 }))
    await vi.advanceTimersByTimeAsync(0)
    expect(result.answer.value).toBe(1)
    await vi.advanceTimersByTimeAsync(4_000)
    expect(result.answer.value).toBe(3)
    scope.stop()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(ask).toHaveBeenCalledTimes(3)
  })

  it('rests while nobody looks, and asks at once when somebody does', async () => {
    const ask = vi.fn(() => Promise.resolve('fresh'))
    const { scope } = inScope(() => usePolling(ask, { everyMs: 2_000 }))
    await vi.advanceTimersByTimeAsync(0)
    look(true)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(ask).toHaveBeenCalledTimes(1)
    look(false)
    await vi.advanceTimersByTimeAsync(0)
    expect(ask).toHaveBeenCalledTimes(2)
    scope.stop()
  })

  it('keeps the last answer beside a failure, until the next answer', async () => {
    const ask = vi.fn<() => Promise<string>>().mockResolvedValueOnce('old')
    ask.mockRejectedValueOnce(new ApiError('unavailable', '')).mockResolvedValueOnce('new')
    const { result, scope } = inScope(() => usePolling(ask, { everyMs: 2_000 }))
    await vi.advanceTimersByTimeAsync(2_000)
    expect([result.answer.value, result.error.value?.kind]).toEqual(['old', 'unavailable'])
    await vi.advanceTimersByTimeAsync(2_000)
    expect([result.answer.value, result.error.value]).toEqual(['new', undefined])
    scope.stop()
  })

  it('waits as long as the service wants it to', async () => {
    const ask = vi.fn(() => Promise.reject(new ApiError('too_many', '', 9)))
    const { scope } = inScope(() => usePolling(ask, { everyMs: 2_000 }))
    await vi.advanceTimersByTimeAsync(8_900)
    expect(ask).toHaveBeenCalledTimes(1)
    await vi.advanceTimersByTimeAsync(200)
    expect(ask).toHaveBeenCalledTimes(2)
    scope.stop()
  })

  it('drops the answer to a question that was changed meanwhile', async () => {
    const question = ref('slow')
    const ask = (signal: AbortSignal) =>
      new Promise<string>((resolve) => {
        const asked = question.value
        setTimeout(() => resolve(`${asked} ${String(signal.aborted)}`), asked === 'slow' ? 1_000 : 10)
      })
    const { result, scope } = inScope(() => usePolling(ask, { everyMs: 60_000, on: [question] }))
    question.value = 'quick'
    await nextTick()
    await vi.advanceTimersByTimeAsync(5_000)
    expect(result.answer.value).toBe('quick false')
    scope.stop()
  })
})
