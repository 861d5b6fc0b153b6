import { fastifyServer } from '../apps/fastify.ts'
import { rawAnswer } from '../apps/raw.ts'
import type { ServerFile } from '../server-file.ts'

export default {
  title: 'Fastify, a raw write in onRequest',
  kind: 'hit-floor',
  start(page) {
    const answer = rawAnswer(page)
    return fastifyServer(page, async (app) => {
      app.addHook('onRequest', (_request, reply, _next) => {
        reply.hijack()
        answer(reply.raw)
      })
    })
  },
} satisfies ServerFile
