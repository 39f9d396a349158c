import { onScopeDispose, ref, watch, type Ref } from 'vue'

import { streamAddress, type Parameters } from '../api/client'
import type { VotesEvent } from '../api/types'

export type FollowState =
  'off' | 'connecting' | 'live' | 'unavailable' | 'reconnecting' | 'retrying' | 'paused'

/** Pause after the service rejected the stream, for example because too many streams are open. */
export const RETRY_MS = 5_000

/** A hidden page closes its stream after this time, so that the service can scale to zero. */
export const HIDDEN_MS = 60_000

interface Handlers {
  /** The stream is open for the first time with these parameters. */
  opened: () => void
  votes: (event: VotesEvent) => void
  /** The stream continues, but votes may be missing. */
  interrupted: () => void
}

/** Keeps a stream of votes open for as long as there are parameters. */
export function useFollow(parameters: Ref<Parameters | null>, handlers: Handlers) {
  const state = ref<FollowState>('off')
  let source: EventSource | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let hasStarted = false

  function open(): void {
    close()
    if (parameters.value === null) return
    state.value = 'connecting'
    const current = (source = new EventSource(streamAddress(parameters.value)))
    let wasReady = false
    let wasUnavailable = false
    /** The browser resumes the stream after the event with this id; empty: it cannot resume. */
    let lastId = ''

    current.addEventListener('ready', (event) => {
      state.value = 'live'
      // The service resumes the stream itself while the connection is open. After a reconnect, the stream resumes only if
      // the browser has an event id.
      const continued = wasReady && (wasUnavailable || lastId !== '')
      if (!hasStarted) handlers.opened()
      else if (!continued) handlers.interrupted()
      hasStarted = wasReady = true
      wasUnavailable = false
      lastId = event.lastEventId
    })
    current.addEventListener('votes', (event) => {
      lastId = event.lastEventId
      handlers.votes(JSON.parse(event.data as string) as VotesEvent)
    })
    current.addEventListener('unavailable', () => {
      state.value = 'unavailable'
      wasUnavailable = true
    })
    current.addEventListener('reset', () => {
      handlers.interrupted()
    })
    current.addEventListener('error', () => {
      wasUnavailable = false
      if (current.readyState !== EventSource.CLOSED) {
        state.value = 'reconnecting'
        return
      }
      // The response is not a stream. The browser does not retry in this case, so the page does.
      state.value = 'retrying'
      timer = setTimeout(open, RETRY_MS)
    })
  }

  function close(): void {
    source?.close()
    source = undefined
    clearTimeout(timer)
    state.value = 'off'
  }

  function onVisibility(): void {
    if (parameters.value === null) return
    if (document.hidden) {
      clearTimeout(timer)
      timer = setTimeout(() => {
        close()
        state.value = 'paused'
      }, HIDDEN_MS)
    } else if (state.value === 'paused' || state.value === 'retrying') open()
    else clearTimeout(timer)
  }

  document.addEventListener('visibilitychange', onVisibility)
  onScopeDispose(() => {
    document.removeEventListener('visibilitychange', onVisibility)
    close()
  })
  watch(
    parameters,
    () => {
      hasStarted = false
      open()
    },
    { immediate: true },
  )

  return state
}
