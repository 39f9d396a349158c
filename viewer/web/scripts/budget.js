// Checks the size of the build, compressed with brotli, against a budget. Run `npm run build` first.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync } from 'node:zlib'

const dist = fileURLToPath(new URL('../dist/', import.meta.url))

/**
 * In KiB. A slow phone at 1.6 Mbit/s loads the first paint in less than 0.4 s. Most of it is Vue, its router and its
 * messages. Everything that loads later, mainly the plots, may have half of that size.
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
if ((total['first paint'] ?? 0) === 0) throw new Error(`${dist} has no files to measure`)

let over = false
for (const [part, limit] of Object.entries(BUDGET)) {
  const size = (total[part] ?? 0) / 1024
  console.log(`${size.toFixed(1).padStart(7)} KiB  ${part.padEnd(15)}  budget ${limit} KiB`)
  if (size > limit) over = true
}
if (over) {
  console.error(
    'over budget: load parts later, use smaller packages, or raise the budget in scripts/budget.js and state the reason',
  )
  process.exit(1)
}
