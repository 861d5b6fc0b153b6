import { cachebackPlugin } from '@cacheback/fastify'

import { makeCache } from '../apps/cache.ts'
import { fastifyServer } from '../apps/fastify.ts'
import type { ServerFile } from '../server-file.ts'

export default {
  title: 'cacheback as Fastify plugin',
  kind: 'cacheback',
  start: (page) =>
    fastifyServer(page, async (app) => {
      await app.register(cachebackPlugin, { cache: makeCache(page) })
    }),
} satisfies ServerFile
