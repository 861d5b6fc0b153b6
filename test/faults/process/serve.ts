import { AsyncLocalStorage } from 'node:async_hooks'
import type { AddressInfo } from 'node:net'
import type { Cacheback } from '@cacheback/core'
import type { App, Framework, Route } from '../../support/app.ts'
import { expressFramework } from '../../support/express.ts'
import { fastify } from '../../support/fastify.ts'
import { koa } from '../../support/koa.ts'

const FRAMEWORKS: Readonly<Record<string, Framework>> = { fastify, express: expressFramework, koa }

/** Starts an app in this process, and obeys the process that has started this one. `obey` never rejects. */
export async function serveOrders(
  framework: string,
  cache: Cacheback,
  routes: Readonly<Record<string, Route>>,
  obey: (order: never) => unknown,
): Promise<App> {
  const seen = new Map<string, number>()
  const app = await FRAMEWORKS[framework]!.start({
    cache,
    visitors: new AsyncLocalStorage(),
    routes,
    async render(path, { answer }, exchange) {
      const n = (seen.get(path) ?? 0) + 1
      seen.set(path, n)
      if (typeof answer !== 'function') throw new TypeError(`No function answers ${path}.`)
      return answer({ ...exchange, path, n, visitor: undefined })
    },
  })
  process.on('message', (order: { id: number }) => {
    void Promise.resolve(obey(order as never)).then((result) => process.send!({ id: order.id, result }))
  })
  process.on('disconnect', () => process.exit())
  process.send!({ port: (app.server.address() as AddressInfo).port })
  return app
}
