import { createServer } from 'node:http'

import apicache from 'apicache-plus'

import { expressApp } from '../apps/express.ts'
import type { ServerFile } from '../server-file.ts'

export default {
  title: 'apicache-plus (Express)',
  kind: 'peer',
  package: 'apicache-plus',
  start: (page) => createServer(expressApp(page, apicache(`${page.maxAge} seconds`))),
} satisfies ServerFile
