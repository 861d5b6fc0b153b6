import { createServer } from 'node:http'

import routeCache from 'route-cache'

import { expressApp } from '../apps/express.ts'
import type { ServerFile } from '../server-file.ts'

export default {
  title: 'route-cache (Express)',
  kind: 'peer',
  package: 'route-cache',
  start: (page) => createServer(expressApp(page, routeCache.cacheSeconds(page.maxAge))),
} satisfies ServerFile
