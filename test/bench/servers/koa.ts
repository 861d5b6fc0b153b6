import { createServer } from 'node:http'

import { koaApp } from '../apps/koa.ts'
import type { ServerFile } from '../server-file.ts'

export default {
  title: 'Koa, trivial handler',
  kind: 'uncached',
  package: 'koa',
  start: (page) => createServer(koaApp(page).callback()),
} satisfies ServerFile
