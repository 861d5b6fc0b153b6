import Koa from 'koa'
import type { Middleware } from 'koa'

import type { Page } from '../page.ts'

/** A trivial Koa app behind these middlewares. */
export function koaApp(page: Page, ...before: Middleware[]): Koa {
  const app = new Koa()
  for (const middleware of before) app.use(middleware)
  app.use((ctx) => {
    ctx.set(page.head)
    if (page.streamed) ctx.body = page.stream()
    else
      return page.render(ctx.url, (body) => {
        ctx.body = body
      })
  })
  return app
}
