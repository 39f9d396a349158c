import { computed, onScopeDispose, ref, watchEffect } from 'vue'

import { persisted } from './persisted'

export const THEMES = ['system', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]

const theme = persisted<Theme>('dualpath.theme', THEMES, 'system')

/** The selected theme. The style sheet applies it with `color-scheme` and `light-dark()`. */
export function useTheme() {
  return theme
}

/** Applies the selected theme to the document, also after changes. Call it once, at start. */
export function applyTheme(root: HTMLElement): void {
  watchEffect(() => {
    if (theme.value === 'system') delete root.dataset.theme
    else root.dataset.theme = theme.value
  })
}

/** Whether the page is dark now. For content that scripts draw, which cannot use the style sheet. */
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
