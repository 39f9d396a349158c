import { computed, watchEffect } from 'vue'
import { createI18n } from 'vue-i18n'

import { stored } from '../settings/stored'
import en from './en.json'
import es from './es.json'

export const LANGUAGES = ['en', 'es'] as const
export type Language = (typeof LANGUAGES)[number]

const primary = (tag: string) => tag.toLowerCase().split('-')[0]

/** The first of the reader's languages that the page has. */
export function preferred(languages: readonly string[]): Language {
  for (const tag of languages) {
    const language = LANGUAGES.find((known) => known === primary(tag))
    if (language !== undefined) return language
  }
  return 'en'
}

const language = stored<Language>('dualpath.language', LANGUAGES, preferred(navigator.languages))

export const i18n = createI18n({
  legacy: false,
  locale: language.value,
  fallbackLocale: 'en',
  messages: { en, es },
})

export function useLanguage() {
  return language
}

/** Keeps messages and the document in the chosen language. To be called once, at start. */
export function applyLanguage(root: HTMLElement): void {
  watchEffect(() => {
    i18n.global.locale.value = language.value
    root.lang = language.value
  })
}

/** How numbers and times are written: as in the reader's own country where it speaks the chosen language. */
export const formatLocale = computed(
  () => navigator.languages.find((tag) => primary(tag) === language.value) ?? language.value,
)
