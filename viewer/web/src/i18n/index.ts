import { computed, watchEffect } from 'vue'
import { createI18n } from 'vue-i18n'

import { persisted } from '../settings/persisted'
import en from './en.json'
import es from './es.json'

export const LANGUAGES = ['en', 'es'] as const
export type Language = (typeof LANGUAGES)[number]

const primary = (tag: string) => tag.toLowerCase().split('-')[0]

/** The first of the user's languages that the page supports. */
export function preferredLanguage(languages: readonly string[]): Language {
  for (const tag of languages) {
    const language = LANGUAGES.find((known) => known === primary(tag))
    if (language !== undefined) return language
  }
  return 'en'
}

const language = persisted<Language>('dualpath.language', LANGUAGES, preferredLanguage(navigator.languages))

export const i18n = createI18n({
  legacy: false,
  locale: language.value,
  fallbackLocale: 'en',
  messages: { en, es },
})

export function useLanguage() {
  return language
}

/** Applies the selected language to the messages and the document, also after changes. Call it once, at start. */
export function applyLanguage(root: HTMLElement): void {
  watchEffect(() => {
    i18n.global.locale.value = language.value
    root.lang = language.value
  })
}

/** The locale for numbers and times: the user's regional variant of the selected language, if there is one. */
export const formatLocale = computed(
  () => navigator.languages.find((tag) => primary(tag) === language.value) ?? language.value,
)
