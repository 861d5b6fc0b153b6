import { createCache } from 'async-cache-dedupe'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'

import { createCacheback } from '@cacheback/core'

export interface Item {
  readonly id: string
  readonly tags: readonly string[]
  readonly sizes: readonly { readonly name: string; readonly price: number }[]
}

export type Load = (id: string) => Promise<Item>

/** How often an item was made. */
export const made = { count: 0 }

/** Some 500 bytes of plain data. */
function itemOf(id: string): Item {
  made.count += 1
  const sizes = Array.from({ length: 10 }, (_, i) => ({ name: `size ${i}`, price: i * 1.5 }))
  return { id, tags: ['one', 'two', 'three'], sizes }
}

const load = async (id: string): Promise<Item> => itemOf(id)
const loadDated = async (id: string): Promise<Item & { at: Date }> => ({ ...itemOf(id), at: new Date() })

export const KEYS = 1000
const ROOM = 10_000
const MAX_AGE = 3600

export interface Contender {
  readonly title: string
  readonly kind: 'bare' | 'cacheback' | 'peer'
  readonly package?: string
  readonly make: () => Load
}

/** Each answers for any of a thousand keys from memory. */
export const CONTENDERS: Readonly<Record<string, Contender>> = {
  constant: {
    title: 'a function that returns a constant promise',
    kind: 'bare',
    make: () => {
      const constant = Promise.resolve(itemOf('one'))
      return () => constant
    },
  },
  cacheback: {
    title: 'cacheback',
    kind: 'cacheback',
    make: () => createCacheback().wrap(load, { maxAge: MAX_AGE }),
  },
  'cacheback:an object for an argument': {
    title: 'cacheback, an object for an argument',
    kind: 'cacheback',
    make: () => {
      const wrapped = createCacheback().wrap(({ id }: { id: string; page: number }) => load(id), {
        name: 'load',
        maxAge: MAX_AGE,
      })
      return (id) => wrapped({ page: 1, id })
    },
  },
  'cacheback:a Date in the value': {
    title: 'cacheback, a Date in the value (each caller gets a copy)',
    kind: 'cacheback',
    make: () => createCacheback().wrap(loadDated, { maxAge: MAX_AGE }),
  },
  'async-cache-dedupe': {
    title: 'async-cache-dedupe',
    kind: 'peer',
    package: 'async-cache-dedupe',
    make: () => {
      const storage = { type: 'memory', options: { size: ROOM } } as const
      return createCache({ ttl: MAX_AGE, stale: MAX_AGE, storage }).define('load', load).load
    },
  },
  bentocache: {
    title: 'bentocache',
    kind: 'peer',
    package: 'bentocache',
    make: () => bento(true),
  },
  'bentocache:serialize false': {
    title: 'bentocache, serialize: false (callers may change what others get)',
    kind: 'peer',
    make: () => bento(false),
  },
}

function bento(serialize: boolean): Load {
  const driver = memoryDriver({ maxItems: ROOM, serialize })
  const cache = new BentoCache({ default: 'memory', stores: { memory: bentostore().useL1Layer(driver) } })
  return (id) => cache.getOrSet({ key: `load:${id}`, ttl: '1h', grace: '1h', factory: () => load(id) })
}
