// What the page cannot do itself: read the committed dashboards, and speak with Redis and Prometheus.
import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'

import type { Connect, Plugin, ProxyOptions } from 'vite'

import { readTally } from './redis.ts'

const dashboards = join(import.meta.dirname, '../../dashboards')
const packages = join(import.meta.dirname, '../node_modules')
const SVG = 'image/svg+xml'
const inter = join(packages, '@fontsource/inter/files')

/** The address of Prometheus is in PROMETHEUS_URL. */
export const prometheusProxy: Record<string, ProxyOptions> = {
  '/prometheus/': {
    target: process.env.PROMETHEUS_URL ?? 'http://127.0.0.1:9090',
    rewrite: (path) => path.replace(/^\/prometheus/, ''),
  },
}

/** @grafana/ui contains most icons of Grafana, but not all. */
const NO_ICON = '<svg xmlns="http://www.w3.org/2000/svg" />'

/** The files that the page loads: a pattern of the path, the file, and its type. */
const FILES: [RegExp, (name: string) => string, string][] = [
  [/^\/dashboards\/([\w-]+\.json)$/, (name) => join(dashboards, name), 'application/json'],
  [
    /^\/public\/build\/img\/icons\/([\w-]+\/[\w-]+\.svg)$/,
    (name) => join(packages, '@grafana/ui/dist/public/img/icons', name),
    SVG,
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
    const content = readFile(path(name))
    response.end(await (type === SVG ? content.catch(() => NO_ICON) : content))
    return true
  }
  return false
}
