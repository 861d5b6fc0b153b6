import { createCacheback, type CachebackOptions } from '@cacheback/core'
import { once } from 'node:events'
import { createServer, type RequestListener, type ServerOptions, type ServerResponse } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, onTestFinished } from 'vitest'
import type { Hand, Middleware } from '../../support/app.ts'
import { type Client, makeClient } from '../../support/client.ts'
import type { Site } from '../../support/scenario.ts'
import { closeServer } from '../../support/server.ts'

type Method = (...args: unknown[]) => unknown
type Methods = Record<'writeHead' | 'write' | 'end', Method>

/** The methods of one response, to be replaced by a layer outside or inside, as many middlewares do. */
export const methodsOf = (res: ServerResponse): Methods => res as unknown as Methods

/** What would have ended the process, until the scenario ends. */
export function watchProcess(): readonly unknown[] {
  const errors: unknown[] = []
  const note = (error: unknown): void => void errors.push(error)
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, note)
    onTestFinished(() => void process.off(event, note))
  }
  return errors
}

/** Whatever was to happen at once has happened. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await turn()
}

/** So many others come and go: whoever could work on meanwhile has. */
export async function othersCome(site: Site, count: number, path: string): Promise<void> {
  for (let i = 0; i < count; i++) expect((await site.visit(path).done).status).toBe(200)
}

/** Followers may wait for ever: a flight without a landing is found out by the time limit of the test. */
export const patient = { collapse: { waitMs: 600_000 } } as const

/** With and without the short way to a hit, which a route with `skip` never goes; each with pages of its own. */
export const ways = [{}, { version: 'long', skip: () => false }] as const

/** An app of node:http, a cache in front of it, and a layer before that. */
export async function behind(
  layer: Middleware,
  options: CachebackOptions,
  app: RequestListener,
  serverOptions: ServerOptions = {},
): Promise<Client> {
  const cache = createCacheback(options)
  const listener = cache.listener(app)
  const server = createServer(serverOptions, (req, res) => {
    layer({ req, res } as Hand)
    listener(req, res)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const client = makeClient(server)
  onTestFinished(async () => {
    client.close()
    await closeServer(server)
    await cache.close()
  })
  return client
}
