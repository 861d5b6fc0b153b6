import { bullmqQueue } from '@cacheback/bullmq'
import { type Cacheback, createCacheback } from '@cacheback/core'
import { redisStore } from '@cacheback/redis'
import { createClient } from '@redis/client'

const url = process.env['REDIS_URL']

/** With `REDIS_URL` the values are shared, and stale ones are made anew by a worker process; without it all is in here. */
export async function openCache(): Promise<Cacheback> {
  if (url === undefined) return createCacheback()
  const store = redisStore({ client: createClient({ url }) })
  await store.ready()
  return createCacheback({ store, refresh: { queue: bullmqQueue({ connection: url }) } })
}
