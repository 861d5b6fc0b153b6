import { createMemoryStorage, defineCachedHandler } from 'ocache'
import type { CachedEventHandler, HTTPEvent } from 'ocache'

import type { Page } from '../page.ts'

/** The page as a cached handler. By default ocache leaves all query parameters out of the key. */
export function cachedHandler(page: Page): CachedEventHandler {
  const render = async ({ req }: HTTPEvent): Promise<Response> => {
    let response = new Response()
    const { pathname, search } = new URL(req.url)
    await page.render(pathname + search, (body) => (response = new Response(body, { headers: page.head })))
    return response
  }
  return defineCachedHandler(render, {
    maxAge: page.maxAge,
    swr: true,
    staleMaxAge: page.staleWhileRevalidate,
    varies: ['accept', 'accept-language'],
    allowQuery: ['a', 'b', 'page', 'n'],
    ...(page.maxBytes === undefined
      ? {}
      : { storage: createMemoryStorage({ maxSize: Infinity, maxBytes: page.maxBytes }) }),
  })
}
