import { createServer } from 'node:http'

import { koaApp } from '../apps/koa.ts'
import { rawAnswer } from '../apps/raw.ts'
import type { ServerFile } from '../server-file.ts'

export default {
  title: 'Koa, a raw write in the first middleware',
  kind: 'hit-floor',
  start(page) {
    const answer = rawAnswer(page)
    const app = koaApp(page, async (ctx) => {
      ctx.respond = false
      answer(ctx.res)
    })
    return createServer(app.callback())
  },
} satisfies ServerFile
