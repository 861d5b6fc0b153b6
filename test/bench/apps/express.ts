import express from 'express'
import type { Express, RequestHandler } from 'express'

import type { Page } from '../page.ts'

/** A trivial Express app behind these middlewares. */
export function expressApp(page: Page, ...before: RequestHandler[]): Express {
  const app = express()
  app.disable('x-powered-by')
  for (const middleware of before) app.use(middleware)
  app.get('/api/items', (req, res) => {
    res.set(page.head)
    if (page.streamed) return void page.stream().pipe(res)
    return page.render(req.originalUrl, (body) => void res.send(body))
  })
  return app
}
