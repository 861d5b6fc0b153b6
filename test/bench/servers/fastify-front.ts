import { cachebackPlugin } from '@cacheback/fastify'

import { makeCache } from '../apps/cache.ts'
import { fastifyServer } from '../apps/fastify.ts'
import type { ServerFile } from '../server-file.ts'

export default {
  title: 'cacheback in front of Fastify',
  kind: 'front',
  start(page) {
    const cache = makeCache(page)
    // Without it Fastify would make a server of its own, and all would pass uncached.
    if (typeof cache.serverFactory !== 'function') throw new TypeError('cache.serverFactory is not there')
    const prepare = async (app: Parameters<NonNullable<Parameters<typeof fastifyServer>[1]>>[0]): Promise<void> => {
      await app.register(cachebackPlugin, { cache })
    }
    return fastifyServer(page, prepare, { serverFactory: cache.serverFactory })
  },
} satisfies ServerFile
