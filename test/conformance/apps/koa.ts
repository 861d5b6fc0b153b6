import type { Cacheback } from '@cacheback/core'
import { cacheback } from '@cacheback/koa'
import Koa from 'koa'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { closeServer } from '../../support/server.ts'
import { type Forwarded, forward } from '../forward.ts'
import type { App } from './app.ts'

export async function startKoa(cache: Cacheback, originPort: number): Promise<App> {
  const app = new Koa()
  app.silent = true
  app.use(cacheback(cache))
  app.use(async (ctx) => answer(ctx, await forward(originPort, ctx.req, ctx.originalUrl, ctx.res)))
  const server = createServer(app.callback())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { port: (server.address() as AddressInfo).port, close: () => closeServer(server) }
}

function answer(ctx: Koa.Context, { status, reason, fields, body }: Forwarded): void {
  ctx.status = status
  ctx.message = reason
  // To an answer without a body Koa gives a 204, and takes its type and length; the origin's 304 has them for a reason.
  if (body === null) ctx.respond = false
  else ctx.body = body
  // The body has set a type and a length of its own.
  ctx.remove('Content-Length')
  for (const [name, values] of fields) ctx.set(name, values.length === 1 ? values[0]! : [...values])
  if (body === null) ctx.res.end()
}
