import { createServer } from 'node:http'

import { expressApp } from '../apps/express.ts'
import { rawAnswer } from '../apps/raw.ts'
import type { ServerFile } from '../server-file.ts'

export default {
  title: 'Express, a raw write in the first middleware',
  kind: 'hit-floor',
  start(page) {
    const answer = rawAnswer(page)
    return createServer(expressApp(page, (_req, res) => answer(res)))
  },
} satisfies ServerFile
