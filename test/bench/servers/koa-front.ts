import { createServer } from 'node:http'

import { makeCache } from '../apps/cache.ts'
import { koaApp } from '../apps/koa.ts'
import type { ServerFile } from '../server-file.ts'

export default {
  title: 'cacheback in front of Koa',
  kind: 'front',
  start: (page) => createServer(makeCache(page).listener(koaApp(page).callback())),
} satisfies ServerFile
