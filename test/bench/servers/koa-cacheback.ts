import { createServer } from 'node:http'

import { cacheback } from '@cacheback/koa'

import { makeCache } from '../apps/cache.ts'
import { koaApp } from '../apps/koa.ts'
import type { ServerFile } from '../server-file.ts'

export default {
  title: 'cacheback as Koa middleware',
  kind: 'cacheback',
  start: (page) => createServer(koaApp(page, cacheback(makeCache(page))).callback()),
} satisfies ServerFile
