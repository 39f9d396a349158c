import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { nextTick, ref } from 'vue'

import type { Parameters } from '../src/api/client'
import { HIDDEN_MS, RETRY_MS, useFollow } from '../src/logs/useFollow'
import { runInScope, votes } from './fixtures'

/** A fake EventSource that the test controls. */
class FakeEventSource extends EventTarget {
  static readonly CLOSED = 2
  static opened: FakeEventSource[] = []
  readyState = 1

  constructor(readonly url: string) {
    super()
    FakeEventSource.opened.push(this)
  }

  send(type: string, data: unknown = {}, lastEventId = ''): void {
    this.dispatchEvent(new MessageEvent(type, { data: JSON.stringify(data), lastEventId }))
  }

  fail(readyState: number): void {
    this.readyState = readyState
    this.dispatchEvent(new Event('error'))
  }

  close(): void {
    this.readyState = FakeEventSource.CLOSED
  }
}

const handlers = { opened: vi.fn(), votes: vi.fn(), interrupted: vi.fn() }
const hidden = vi.fn(() => false)
const parameters = ref<Parameters | null>(null)

function follow() {
  parameters.value = { route: 'grpc' }
  const { result: state, scope } = runInScope(() => useFollow(parameters, handlers))
  return { state, scope, stream: newest() }
}

function newest(): FakeEventSource {
  const stream = FakeEventSource.opened.at(-1)
  if (!stream) throw new Error('no stream was opened')
  return stream
}

function setHidden(isHidden: boolean): void {
  hidden.mockReturnValue(isHidden)
  document.dispatchEvent(new Event('visibilitychange'))
}

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('EventSource', FakeEventSource)
  hidden.mockReturnValue(false)
  vi.spyOn(document, 'hidden', 'get').mockImplementation(hidden)
  FakeEventSource.opened = []
  for (const handler of Object.values(handlers)) handler.mockReset()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('following', () => {
  it('opens a stream with the filters and passes on its state and votes', () => {
    const { state, scope, stream } = follow()
    expect([stream.url, state.value]).toEqual(['/api/logs/stream?route=grpc', 'connecting'])
    stream.send('ready', {}, 'a')
    stream.send('votes', { votes: votes(1), skipped: 0 }, 'b')
    expect(state.value).toBe('live')
    expect(handlers.opened).toHaveBeenCalledOnce()
    expect(handlers.votes).toHaveBeenCalledExactlyOnceWith({ votes: votes(1), skipped: 0 })
    scope.stop()
    expect(stream.readyState).toBe(FakeEventSource.CLOSED)
  })

  it('expects the service to resume after MongoDB was unavailable', () => {
    const { state, scope, stream } = follow()
    stream.send('ready')
    stream.send('unavailable', { reason: 'restart' })
    expect(state.value).toBe('unavailable')
    stream.send('ready')
    expect(state.value).toBe('live')
    expect(handlers.interrupted).not.toHaveBeenCalled()
    scope.stop()
  })

  it('expects the browser to resume only if there is an id', () => {
    const { state, scope, stream } = follow()
    stream.send('ready', {}, 'a')
    stream.fail(0)
    expect(state.value).toBe('reconnecting')
    stream.send('ready')
    expect(handlers.interrupted).not.toHaveBeenCalled()
    stream.fail(0)
    stream.send('ready')
    expect(handlers.interrupted).toHaveBeenCalledOnce()
    scope.stop()
  })

  it('reports an interruption if the stream could not be resumed', () => {
    const { scope, stream } = follow()
    stream.send('ready', {}, 'a')
    stream.send('reset')
    expect(handlers.interrupted).toHaveBeenCalledOnce()
    scope.stop()
  })

  it('retries after the service rejected the stream, and reports an interruption', async () => {
    const { state, scope, stream } = follow()
    stream.send('ready', {}, 'a')
    stream.fail(FakeEventSource.CLOSED)
    expect(state.value).toBe('retrying')
    await vi.advanceTimersByTimeAsync(RETRY_MS)
    expect(FakeEventSource.opened).toHaveLength(2)
    newest().send('ready', {}, 'b')
    expect(handlers.interrupted).toHaveBeenCalledOnce()
    expect(handlers.opened).toHaveBeenCalledOnce()
    scope.stop()
  })

  it('closes the stream of a page that stays hidden, and opens it again when visible', async () => {
    const { state, scope, stream } = follow()
    stream.send('ready', {}, 'a')
    setHidden(true)
    await vi.advanceTimersByTimeAsync(HIDDEN_MS - 1)
    expect(state.value).toBe('live')
    await vi.advanceTimersByTimeAsync(1)
    expect([state.value, stream.readyState]).toEqual(['paused', FakeEventSource.CLOSED])
    setHidden(false)
    newest().send('ready')
    expect(FakeEventSource.opened).toHaveLength(2)
    expect(handlers.interrupted).toHaveBeenCalledOnce()
    scope.stop()
  })

  it('opens a new stream for other filters and closes it without parameters', async () => {
    const { state, scope, stream } = follow()
    stream.send('ready', {}, 'a')
    parameters.value = {}
    await nextTick()
    expect([newest().url, stream.readyState]).toEqual(['/api/logs/stream', FakeEventSource.CLOSED])
    newest().send('ready')
    expect(handlers.opened).toHaveBeenCalledTimes(2)
    parameters.value = null
    await nextTick()
    expect([state.value, newest().readyState]).toEqual(['off', FakeEventSource.CLOSED])
    scope.stop()
  })
})
