import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { preferred } from '../src/i18n'

type Messages = { [key: string]: string | Messages }

const source = join(import.meta.dirname, '../src')
const read = (language: string) =>
  flat(JSON.parse(readFileSync(join(source, 'i18n', `${language}.json`), 'utf8')) as Messages)
const en = read('en')
const es = read('es')

function flat(messages: Messages, path = ''): Map<string, string> {
  return new Map(
    Object.entries(messages).flatMap(([key, value]) =>
      typeof value === 'string' ? [[path + key, value] as const] : [...flat(value, `${path}${key}.`)],
    ),
  )
}

const holes = (text: string) => [...new Set(text.match(/\{\w+\}/g))].sort()

describe('the languages', () => {
  it('have the same messages', () => {
    expect([...es.keys()]).toEqual([...en.keys()])
  })

  it.each([...en])('have the same places to fill and as many plurals: %s', (key, text) => {
    const other = es.get(key) ?? ''
    expect(holes(other)).toEqual(holes(text))
    expect(other.split(' | ').length).toBe(text.split(' | ').length)
  })

  it('have every message that the sources name, and no other', () => {
    const code = readdirSync(source, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(?:vue|ts)$/.test(name))
      .map((name) => readFileSync(join(source, name), 'utf8'))
      .join('\n')
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
])('of %j the page speaks %s', (languages, language) => {
  expect(preferred(languages)).toBe(language)
})
