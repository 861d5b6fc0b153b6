import type { Store } from '@cacheback/core'
import { Keyv } from 'keyv'
import type { Description } from '../support/app.ts'
import { text } from '../support/reply.ts'
import type { Site, Stage } from '../support/scenario.ts'
import { FakeStore } from '../support/stores.ts'
import { swr } from './attack.ts'
import { openRedis } from './redis-keys.ts'

/** A store of the cache's, and the same store in the hands of somebody else. */
export interface Shelf {
  readonly store: Keyv | Store
  read: (key: string) => Promise<Buffer>
  write: (key: string, frame: Buffer, ttlMs?: number) => Promise<unknown>
}

export async function makeShelf(stage: Stage): Promise<Shelf> {
  if (stage.store === 'memory') {
    const store = new FakeStore()
    return {
      store,
      read: async (key) => Buffer.from(store.frames.get(key)!),
      write: async (key, frame) => store.frames.set(key, frame),
    }
  }
  const redis = stage.store === 'redis' ? await openRedis() : undefined
  const store = redis?.keyv ?? new Keyv({ store: new Map() })
  const hand = redis?.other ?? store
  return {
    store,
    read: async (key) => Buffer.from((await hand.get(key)) as Buffer),
    write: (key, frame, ttlMs) => hand.set(key, frame, ttlMs),
  }
}

const pages: Description['routes'] = { '/:name': ({ params }) => text(`page ${params['name']}`, swr) }

/** An app without copies of its own, and the keys of its pages, by name. */
export async function serveFrom(
  stage: Stage,
  store: Keyv | Store,
  routes = pages,
): Promise<{ site: Site; keys: string[] }> {
  const site = await stage.serve({ options: { store, memory: false }, routes })
  const keys: string[] = []
  site.cache.on('store', ({ key }) => keys.push(key))
  return { site, keys }
}
