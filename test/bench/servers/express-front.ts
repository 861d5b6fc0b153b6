import { createServer } from 'node:http'

import { makeCache } from '../apps/cache.ts'
import { expressApp } from '../apps/express.ts'
import type { ServerFile } from '../server-file.ts'

export default {
  title: 'cacheback in front of Express',
  kind: 'front',
  start: (page) => createServer(makeCache(page).listener(expressApp(page))),
} satisfies ServerFile
