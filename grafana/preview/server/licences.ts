import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Plugin } from 'vite'

/** The licences of packages that the page may contain. All are permissive, or offer a permissive choice. */
const ALLOWED = new Set([
  '(MPL-2.0 OR Apache-2.0)',
  '0BSD',
  'Apache-2.0',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'Unlicense',
])

/** A plugin of Vite that fails the build if the page contains a package with another licence. */
export function licences(): Plugin {
  return {
    name: 'licences',
    generateBundle(_options, bundle) {
      const packages = new Set<string>()
      for (const part of Object.values(bundle)) {
        for (const module of part.type === 'chunk' ? part.moduleIds : []) {
          const folder = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(module)?.[0].replace('\0', '')
          if (folder !== undefined) packages.add(folder)
        }
      }
      for (const folder of packages) {
        const { name, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
          name: string
          license?: string
        }
        if (!ALLOWED.has(license ?? ''))
          this.error(`the licence of ${name} is not allowed: ${license ?? 'none'}`)
      }
    },
  }
}
