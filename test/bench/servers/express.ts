import { createServer } from 'node:http'

import { expressApp } from '../apps/express.ts'
import type { ServerFile } from '../server-file.ts'

export default {
  title: 'Express, trivial handler',
  kind: 'uncached',
  package: 'express',
  start: (page) => createServer(expressApp(page)),
} satisfies ServerFile
