// What the page cannot do itself: read the committed dashboards, and speak with Redis and Prometheus.
import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'

import type { Connect, Plugin, ProxyOptions } from 'vite'

import { readTally } from './redis.ts'

const dashboards = join(import.meta.dirname, '../../dashboards')
const packages = join(import.meta.dirname, '../node_modules')
const inter = join(packages, '@fontsource/inter/files')

/** The address of Prometheus is in PROMETHEUS_URL. */
export const prometheusProxy: Record<string, ProxyOptions> = {
  '/prometheus/': {
    target: process.env.PROMETHEUS_URL ?? 'http://127.0.0.1:9090',
    rewrite: (path) => path.replace(/^\/prometheus/, ''),
  },
}

/** The files that Grafana's components load, by the path that they request. */
const FILES: [RegExp, (name: string) => string, string][] = [
  [/^\/dashboards\/([\w-]+\.json)$/, (name) => join(dashboards, name), 'application/json'],
  [
    /^\/public\/build\/img\/icons\/([\w-]+\/[\w-]+\.svg)$/,
    (name) => join(packages, '@grafana/ui/dist/public/img/icons', name),
    'image/svg+xml',
  ],
  [
    /^\/public\/fonts\/inter\/Inter-(Regular)\.woff2$/,
    () => join(inter, 'inter-latin-400-normal.woff2'),
    'font/woff2',
  ],
  [
    /^\/public\/fonts\/inter\/Inter-(Medium)\.woff2$/,
    () => join(inter, 'inter-latin-500-normal.woff2'),
    'font/woff2',
  ],
]

/** A plugin of Vite that answers these requests in development and in `vite preview`. */
export function backend(): Plugin {
  const use = (server: { middlewares: Connect.Server }) => {
    server.middlewares.use((request, response, next) => {
      answer(request, response).then(
        (answered) => {
          if (!answered) next()
        },
        (error: unknown) => {
          response.statusCode = 502
          response.end(error instanceof Error ? error.message : String(error))
        },
      )
    })
  }
  return { name: 'backend', configureServer: use, configurePreviewServer: use }
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
  const url = new URL(request.url ?? '/', 'http://localhost')
  if (url.pathname === '/redis') {
    response.setHeader('Content-Type', 'application/json')
    response.end(JSON.stringify(await readTally(url.searchParams)))
    return true
  }
  for (const [pattern, path, type] of FILES) {
    const name = pattern.exec(url.pathname)?.[1]
    if (name === undefined) continue
    response.setHeader('Content-Type', type)
    response.end(await readFile(path(name)))
    return true
  }
  return false
}
