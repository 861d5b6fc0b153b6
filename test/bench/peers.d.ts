// Of packages without types: what the servers use.

declare module 'apicache' {
  import type { RequestHandler } from 'express'

  const apicache: { middleware: (duration: string) => RequestHandler }
  export default apicache
}

declare module 'apicache-plus' {
  import type { RequestHandler } from 'express'

  const apicache: (duration: string) => RequestHandler
  export default apicache
}

declare module 'route-cache' {
  import type { RequestHandler } from 'express'

  const routeCache: { cacheSeconds: (seconds: number) => RequestHandler }
  export default routeCache
}

declare module 'cacheable-response' {
  import type { IncomingMessage, ServerResponse } from 'node:http'

  interface Exchange {
    req: IncomingMessage
    res: ServerResponse
  }
  export default function cacheableResponse<Data>(options: {
    ttl: number
    staleTtl: number
    get: (exchange: Exchange) => Promise<{ data: Data }>
    send: (answer: Exchange & { data: Data }) => void
  }): (exchange: Exchange) => Promise<void>
}

declare module 'koa-cash' {
  import type { Middleware } from 'koa'

  interface Kept {
    body: string
  }
  export default function cash(options: {
    get: (key: string) => Promise<Kept | undefined>
    set: (key: string, value: Kept, maxAgeMs: number) => Promise<void>
  }): Middleware
}

declare module 'autocannon' {
  interface Request {
    path?: string
  }
  export default function autocannon(options: {
    url: string
    connections: number
    duration: number
    headers: Readonly<Record<string, string>>
    requests: { setupRequest: (request: Request) => Request }[]
  }): Promise<{ duration: number; errors: number; non2xx: number; requests: { total: number } }>
}
