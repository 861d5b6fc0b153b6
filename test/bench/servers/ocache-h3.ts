import { createServer } from 'node:http'

import { H3 } from 'h3'
import { toNodeHandler } from 'h3/node'

import { cachedHandler } from '../apps/ocache.ts'
import type { ServerFile } from '../server-file.ts'

export default {
  title: 'ocache (h3)',
  kind: 'peer',
  package: 'ocache',
  start: (page) => createServer(toNodeHandler(new H3().get('/api/items', cachedHandler(page)))),
} satisfies ServerFile
