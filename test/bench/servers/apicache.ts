import { createServer } from 'node:http'

import apicache from 'apicache'

import { expressApp } from '../apps/express.ts'
import type { ServerFile } from '../server-file.ts'

export default {
  title: 'apicache (Express)',
  kind: 'peer',
  package: 'apicache',
  start: (page) => createServer(expressApp(page, apicache.middleware(`${page.maxAge} seconds`))),
} satisfies ServerFile
