import { onScopeDispose, ref, watch, type Ref } from 'vue'

import { streamAddress, type Parameters } from '../api/client'
import type { VoteBurst } from '../api/types'

export type FollowState = 'off' | 'connecting' | 'live' | 'away' | 'reconnecting' | 'waiting' | 'paused'

/** After a refusal: the service has a limit of open streams, and a place may be free soon. */
export const RETRY_MS = 5_000

/** A page that nobody looks at gives its stream back after this: a service that scales to zero can then do so. */
export const HIDDEN_MS = 60_000

interface Handlers {
  /** The stream is open for the first time with these parameters. */
  started: () => void
  burst: (burst: VoteBurst) => void
  /** The stream goes on, but perhaps from a later place than where it ended. */
  broken: () => void
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
    const mine = (source = new EventSource(streamAddress(parameters.value)))
    let wasReady = false
    let wentAway = false
    /** With an id the browser takes up the stream where it ended. */
    let lastId = ''

    mine.addEventListener('ready', (event) => {
      state.value = 'live'
      // Within one connection the service resumes by itself.
      const continued = wasReady && (wentAway || lastId !== '')
      if (!hasStarted) handlers.started()
      else if (!continued) handlers.broken()
      hasStarted = wasReady = true
      wentAway = false
      lastId = event.lastEventId
    })
    mine.addEventListener('votes', (event) => {
      lastId = event.lastEventId
      handlers.burst(JSON.parse(event.data as string) as VoteBurst)
    })
    mine.addEventListener('away', () => {
      state.value = 'away'
      wentAway = true
    })
    mine.addEventListener('reset', () => {
      handlers.broken()
    })
    mine.addEventListener('error', () => {
      wentAway = false
      if (mine.readyState !== EventSource.CLOSED) {
        state.value = 'reconnecting'
        return
      }
      // An answer that is no stream: the browser gives up, so this page has to try again.
      state.value = 'waiting'
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
    } else if (state.value === 'paused' || state.value === 'waiting') open()
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
