import { createServer } from 'node:http'

import { cacheback } from '@cacheback/express'

import { makeCache } from '../apps/cache.ts'
import { expressApp } from '../apps/express.ts'
import type { ServerFile } from '../server-file.ts'

export default {
  title: 'cacheback as Express middleware',
  kind: 'cacheback',
  start: (page) => createServer(expressApp(page, cacheback(makeCache(page)))),
} satisfies ServerFile
