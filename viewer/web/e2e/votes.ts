// Casts votes on every route through the Ingress.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import * as grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

const root = join(import.meta.dirname, '../../..')

export interface Cast {
  name: string
  album: string
  year: string
  rank: string
}

export interface Receipt {
  vote_id: string
  route: string
}

interface VoteClient extends grpc.Client {
  CastVote: (vote: Cast, callback: (error: grpc.ServiceError | null, receipt: Receipt) => void) => void
}

/** Casts a vote over HTTP. The canary header selects the route. */
export async function castByHttp(ingress: string, vote: Cast, route: 'rest' | 'bridge'): Promise<Receipt> {
  const response = await fetch(`${ingress}/v1/votes`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-canary': route === 'bridge' ? 'always' : 'never' },
    body: JSON.stringify(vote),
  })
  if (response.status !== 202)
    throw new Error(`${route}: ${String(response.status)} ${await response.text()}`)
  const receipt = (await response.json()) as Receipt
  if (receipt.route !== route) throw new Error(`expected route ${route}, got ${receipt.route}`)
  return receipt
}

/** Casts a vote over gRPC. */
export async function castByGrpc(ingress: string, vote: Cast): Promise<Receipt> {
  return withGrpc(ingress, (cast) => cast(vote))
}

async function withGrpc<Result>(
  ingress: string,
  work: (cast: (vote: Cast) => Promise<Receipt>) => Promise<Result>,
): Promise<Result> {
  const definition = loadSync(join(root, 'proto/votes/v1/votes.proto'), { keepCase: true })
  const { votes } = grpc.loadPackageDefinition(definition) as unknown as {
    votes: { v1: { VoteService: new (address: string, credentials: grpc.ChannelCredentials) => VoteClient } }
  }
  const client = new votes.v1.VoteService(new URL(ingress).host, grpc.credentials.createInsecure())
  try {
    return await work(
      (vote) =>
        new Promise((resolve, reject) => {
          client.CastVote(vote, (error, receipt) => {
            if (error) reject(error)
            else resolve(receipt)
          })
        }),
    )
  } finally {
    client.close()
  }
}

/** Reads votes from the project's file. All fields are text, as gRPC requires. */
export async function readVotes(count: number): Promise<Cast[]> {
  const file = join(root, 'locust/votes/bandas_guatemala.json')
  const all = JSON.parse(await readFile(file, 'utf8')) as Record<keyof Cast, string | number>[]
  return all.slice(0, count).map(({ name, album, year, rank }) => ({
    name: String(name),
    album: String(album),
    year: String(year),
    rank: String(rank),
  }))
}

/** Casts votes on the three routes in turn. */
export async function castMany(ingress: string, votes: Cast[]): Promise<void> {
  await withGrpc(ingress, async (cast) => {
    for (const [index, vote] of votes.entries()) {
      if (index % 3 === 0) await cast(vote)
      else await castByHttp(ingress, vote, index % 3 === 1 ? 'rest' : 'bridge')
    }
  })
}
