import { computed, onScopeDispose, ref, watchEffect } from 'vue'

import { stored } from './stored'

export const THEMES = ['system', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]

const theme = stored<Theme>('dualpath.theme', THEMES, 'system')

/** The choice; the style sheet does the rest (`color-scheme` and `light-dark()`). */
export function useTheme() {
  return theme
}

/** Keeps the document in the chosen theme. To be called once, at start. */
export function applyTheme(root: HTMLElement): void {
  watchEffect(() => {
    if (theme.value === 'system') delete root.dataset.theme
    else root.dataset.theme = theme.value
  })
}

/** Whether the page is dark now: for what is painted by script and cannot read the style sheet. */
export function useDark() {
  const query = matchMedia('(prefers-color-scheme: dark)')
  const system = ref(query.matches)
  const update = () => {
    system.value = query.matches
  }
  query.addEventListener('change', update)
  onScopeDispose(() => {
    query.removeEventListener('change', update)
  })
  return computed(() => (theme.value === 'system' ? system.value : theme.value === 'dark'))
}
