// The stack for all tests. `lab` starts it on free ports in a temporary directory; both are removed at the end.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

import { castMany, readVotes } from './votes'

const root = join(import.meta.dirname, '../../..')
const programs = join(root, 'target/release')

/** The endpoints of `lab` that the tests use. */
export interface Endpoints {
  ingress: string
  mongodb: string
  prometheus: string
  viewer: string
}

/** The environment variable that passes the stack from the global setup to the test processes. */
const STACK_VARIABLE = 'DUALPATH_E2E'

interface RunningStack {
  endpoints: Endpoints
  directory: string
}

function runningStack(): RunningStack {
  const text = process.env[STACK_VARIABLE]
  if (text === undefined) throw new Error('the stack was not started')
  return JSON.parse(text) as RunningStack
}

export const endpoints = () => runningStack().endpoints

/** Runs a `lab` command on the stack and waits for it. */
export function lab(...command: string[]): void {
  const { directory } = runningStack()
  const result = spawnSync(join(programs, 'lab'), [...command, '--state-dir', directory], {
    encoding: 'utf8',
  })
  if (result.status !== 0) throw new Error(`lab ${command.join(' ')}: ${result.stderr}`)
}

/** Starts the stack. Returns a function that stops it. */
export default async function start(): Promise<() => Promise<void>> {
  const program = join(programs, 'lab')
  if (!existsSync(program)) throw new Error(`${program} is missing: cargo build --release --workspace`)
  if (!existsSync(join(import.meta.dirname, '../dist/index.html'))) {
    throw new Error('the page is not built: npm run build')
  }
  const directory = await mkdtemp(join(tmpdir(), 'dualpath-web-'))
  const options = ['up', '--until-stdin-closes', '--free-ports', '--state-dir', directory]
  const stack = spawn(program, options, { cwd: root, stdio: ['pipe', 'pipe', 'pipe'] })
  stack.stderr.pipe(createWriteStream(join(directory, 'lab.log')))
  const stop = async () => {
    stack.stdin.end()
    await waitForExit(stack)
    await rm(directory, { recursive: true, force: true })
  }
  const [line] = (await Promise.race([
    once(createInterface({ input: stack.stdout }), 'line'),
    waitForExit(stack).then(() => [undefined]),
  ])) as [string | undefined]
  if (line === undefined) {
    const log = await readFile(join(directory, 'lab.log'), 'utf8')
    await rm(directory, { recursive: true, force: true })
    throw new Error(`the stack did not start:\n${log}`)
  }
  const started = JSON.parse(line) as Endpoints
  process.env[STACK_VARIABLE] = JSON.stringify({ endpoints: started, directory } satisfies RunningStack)
  try {
    await castMany(started.ingress, await readVotes(240))
  } catch (error) {
    await stop()
    throw error
  }
  return stop
}

async function waitForExit(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

/** Starts a viewer with MongoDB as its only store, like the default on Cloud Run. */
export async function startViewerWithMongodbOnly(): Promise<{ url: string; stop: () => Promise<void> }> {
  const [port, admin] = await freePorts()
  const options = ['--mongodb-uri', endpoints().mongodb, '--listen', `127.0.0.1:${String(port)}`]
  const viewer = spawn(
    join(programs, 'viewer'),
    [
      ...options,
      '--admin-addr',
      `127.0.0.1:${String(admin)}`,
      '--web-dir',
      join(import.meta.dirname, '../dist'),
    ],
    { stdio: 'ignore' },
  )
  const url = `http://127.0.0.1:${String(port)}`
  const stop = async () => {
    viewer.kill('SIGTERM')
    await waitForExit(viewer)
  }
  for (let attempt = 0; attempt < 100 && viewer.exitCode === null; attempt += 1) {
    const response = await fetch(`${url}/api/live`).catch(() => undefined)
    if (response?.ok === true) return { url, stop }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  await stop()
  throw new Error('the viewer did not start')
}

async function freePorts(): Promise<[number, number]> {
  const servers = [createServer(), createServer()] as const
  const ports = await Promise.all(
    servers.map(async (server) => {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      return (server.address() as AddressInfo).port
    }),
  )
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports as [number, number]
}
