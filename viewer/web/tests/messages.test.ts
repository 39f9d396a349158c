import { describe, expect, it } from 'vitest'

import { preferredLanguage } from '../src/i18n'
import english from '../src/i18n/en.json?raw'
import spanish from '../src/i18n/es.json?raw'

type Messages = { [key: string]: string | Messages }

const sources = import.meta.glob<string>('../src/**/*.{ts,vue}', {
  query: '?raw',
  import: 'default',
  eager: true,
})
const read = (text: string) => flat(JSON.parse(text) as Messages)
const en = read(english)
const es = read(spanish)

function flat(messages: Messages, path = ''): Map<string, string> {
  return new Map(
    Object.entries(messages).flatMap(([key, value]) =>
      typeof value === 'string' ? [[path + key, value] as const] : [...flat(value, `${path}${key}.`)],
    ),
  )
}

const placeholders = (text: string) => [...new Set(text.match(/\{\w+\}/g))].sort()

describe('the languages', () => {
  it('have the same messages', () => {
    expect([...es.keys()]).toEqual([...en.keys()])
  })

  it.each([...en])('have the same placeholders and plural forms: %s', (key, text) => {
    const other = es.get(key) ?? ''
    expect(placeholders(other)).toEqual(placeholders(text))
    expect(other.split(' | ').length).toBe(text.split(' | ').length)
  })

  it('have exactly the messages that the sources use', () => {
    const code = Object.values(sources).join('\n')
    // t('key'), t(`key.${choice}`), keypath="key"
    const named = [...code.matchAll(/(?:\bt\(\s*['`]|keypath=")([\w.]+?)(\.\$\{|['"`])/g)]
    const whole = new Set(named.filter((match) => match[2] !== '.${').map((match) => match[1]))
    const parents = named.filter((match) => match[2] === '.${').map((match) => `${match[1] ?? ''}.`)
    expect([...whole].filter((key) => !en.has(key ?? ''))).toEqual([])
    expect(parents.filter((parent) => ![...en.keys()].some((key) => key.startsWith(parent)))).toEqual([])
    const unused = [...en.keys()].filter(
      (key) => !whole.has(key) && !parents.some((parent) => key.startsWith(parent)),
    )
    expect(unused).toEqual([])
  })
})

it.each([
  [['es-GT', 'en'], 'es'],
  [['fr', 'ES'], 'es'],
  [['fr', 'de'], 'en'],
  [['english'], 'en'],
  [[], 'en'],
])('for %j the language is %s', (languages, language) => {
  expect(preferredLanguage(languages)).toBe(language)
})
