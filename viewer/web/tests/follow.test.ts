import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { nextTick, ref } from 'vue'

import type { Parameters } from '../src/api/client'
import { HIDDEN_MS, RETRY_MS, useFollow } from '../src/logs/useFollow'
import { inScope, votes } from './some'

/** A stream in the test's hands. */
class Stream extends EventTarget {
  static readonly CLOSED = 2
  static opened: Stream[] = []
  readyState = 1

  constructor(readonly url: string) {
    super()
    Stream.opened.push(this)
  }

  send(type: string, data: unknown = {}, lastEventId = ''): void {
    this.dispatchEvent(new MessageEvent(type, { data: JSON.stringify(data), lastEventId }))
  }

  fail(readyState: number): void {
    this.readyState = readyState
    this.dispatchEvent(new Event('error'))
  }

  close(): void {
    this.readyState = Stream.CLOSED
  }
}

const handlers = { started: vi.fn(), burst: vi.fn(), broken: vi.fn() }
const hidden = vi.fn(() => false)
const parameters = ref<Parameters | null>(null)

function follow() {
  parameters.value = { route: 'grpc' }
  const { result: state, scope } = inScope(() => useFollow(parameters, handlers))
  return { state, scope, stream: newest() }
}

function newest(): Stream {
  const stream = Stream.opened.at(-1)
  if (!stream) throw new Error('no stream was opened')
  return stream
}

function look(away: boolean): void {
  hidden.mockReturnValue(away)
  document.dispatchEvent(new Event('visibilitychange'))
}

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('EventSource', Stream)
  hidden.mockReturnValue(false)
  vi.spyOn(document, 'hidden', 'get').mockImplementation(hidden)
  Stream.opened = []
  for (const handler of Object.values(handlers)) handler.mockReset()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('following', () => {
  it('opens a stream with the filters, says when it is live, and hands on votes', () => {
    const { state, scope, stream } = follow()
    expect([stream.url, state.value]).toEqual(['/api/logs/stream?route=grpc', 'connecting'])
    stream.send('ready', {}, 'a')
    stream.send('votes', { votes: votes(1), skipped: 0 }, 'b')
    expect(state.value).toBe('live')
    expect(handlers.started).toHaveBeenCalledOnce()
    expect(handlers.burst).toHaveBeenCalledExactlyOnceWith({ votes: votes(1), skipped: 0 })
    scope.stop()
    expect(stream.readyState).toBe(Stream.CLOSED)
  })

  it('trusts the service to resume after MongoDB was away', () => {
    const { state, scope, stream } = follow()
    stream.send('ready')
    stream.send('away', { reason: 'restart' })
    expect(state.value).toBe('away')
    stream.send('ready')
    expect(state.value).toBe('live')
    expect(handlers.broken).not.toHaveBeenCalled()
    scope.stop()
  })

  it('trusts the browser to resume where there is an id, and only there', () => {
    const { state, scope, stream } = follow()
    stream.send('ready', {}, 'a')
    stream.fail(0)
    expect(state.value).toBe('reconnecting')
    stream.send('ready')
    expect(handlers.broken).not.toHaveBeenCalled()
    stream.fail(0)
    stream.send('ready')
    expect(handlers.broken).toHaveBeenCalledOnce()
    scope.stop()
  })

  it('tells when the stream could not be resumed', () => {
    const { scope, stream } = follow()
    stream.send('ready', {}, 'a')
    stream.send('reset')
    expect(handlers.broken).toHaveBeenCalledOnce()
    scope.stop()
  })

  it('tries again after a refusal, and takes nothing for granted then', async () => {
    const { state, scope, stream } = follow()
    stream.send('ready', {}, 'a')
    stream.fail(Stream.CLOSED)
    expect(state.value).toBe('waiting')
    await vi.advanceTimersByTimeAsync(RETRY_MS)
    expect(Stream.opened).toHaveLength(2)
    newest().send('ready', {}, 'b')
    expect(handlers.broken).toHaveBeenCalledOnce()
    expect(handlers.started).toHaveBeenCalledOnce()
    scope.stop()
  })

  it('gives the stream back when nobody looks for long, and opens it anew', async () => {
    const { state, scope, stream } = follow()
    stream.send('ready', {}, 'a')
    look(true)
    await vi.advanceTimersByTimeAsync(HIDDEN_MS - 1)
    expect(state.value).toBe('live')
    await vi.advanceTimersByTimeAsync(1)
    expect([state.value, stream.readyState]).toEqual(['paused', Stream.CLOSED])
    look(false)
    newest().send('ready')
    expect(Stream.opened).toHaveLength(2)
    expect(handlers.broken).toHaveBeenCalledOnce()
    scope.stop()
  })

  it('begins anew with other filters and ends with none', async () => {
    const { state, scope, stream } = follow()
    stream.send('ready', {}, 'a')
    parameters.value = {}
    await nextTick()
    expect([newest().url, stream.readyState]).toEqual(['/api/logs/stream', Stream.CLOSED])
    newest().send('ready')
    expect(handlers.started).toHaveBeenCalledTimes(2)
    parameters.value = null
    await nextTick()
    expect([state.value, newest().readyState]).toEqual(['off', Stream.CLOSED])
    scope.stop()
  })
})
