import type { Cacheback } from '@cacheback/core'
import { cacheback } from '@cacheback/express'
import express, { type NextFunction, type Request, type Response } from 'express'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { closeServer } from '../../support/server.ts'
import { forward } from '../forward.ts'
import type { App } from './app.ts'

export async function startExpress(cache: Cacheback, originPort: number): Promise<App> {
  const app = express()
  app.disable('x-powered-by')
  app.use(cacheback(cache))
  app.all(/.*/, async (req, res) => {
    const { status, reason, fields, body } = await forward(originPort, req, req.originalUrl, res)
    res.status(status)
    res.statusMessage = reason
    for (const [name, values] of fields) res.setHeader(name, values.length === 1 ? values[0]! : values)
    res.end(body ?? undefined)
  })
  app.use((_error: unknown, _req: Request, res: Response, _next: NextFunction) => void res.status(500).end())
  const server = createServer(app)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { port: (server.address() as AddressInfo).port, close: () => closeServer(server) }
}
