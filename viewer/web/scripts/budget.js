// Holds the build against a budget: what a reader downloads, as brotli sends it. `npm run build` comes first.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync } from 'node:zlib'

const dist = fileURLToPath(new URL('../dist/', import.meta.url))

/**
 * KiB. At the 1.6 Mbit/s of a slow phone the first takes less than 0.4 s; most of it is Vue, its router and its messages,
 * so that growth is the page's own. What comes later, the plots above all, may cost half as much.
 */
const BUDGET = { 'first paint': 75, 'everything else': 38 }

const html = await readFile(join(dist, 'index.html'), 'utf8')
const first = new Set([
  'index.html',
  ...[...html.matchAll(/(?:src|href)="\/([^"]+)"/g)].map((match) => match[1]),
])
const names = await readdir(dist, { recursive: true })
const served = names.filter((name) => /\.(?:css|html|js|svg)$/.test(name))

/** @type {Record<string, number>} */
const total = { 'first paint': 0, 'everything else': 0 }
for (const name of served.sort()) {
  const bytes = brotliCompressSync(await readFile(join(dist, name))).length
  const part = first.has(name) ? 'first paint' : 'everything else'
  total[part] = (total[part] ?? 0) + bytes
  console.log(`${(bytes / 1024).toFixed(1).padStart(7)} KiB  ${part.padEnd(15)}  ${name}`)
}
if ((total['first paint'] ?? 0) === 0) throw new Error(`nothing to measure in ${dist}`)

let over = false
for (const [part, limit] of Object.entries(BUDGET)) {
  const size = (total[part] ?? 0) / 1024
  console.log(`${size.toFixed(1).padStart(7)} KiB  ${part.padEnd(15)}  budget ${limit} KiB`)
  if (size > limit) over = true
}
if (over) {
  console.error(
    'over budget: load something later, find something smaller, or say in scripts/budget.js why it is worth more',
  )
  process.exit(1)
}
