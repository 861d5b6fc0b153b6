import { once } from 'node:events'
import { Keyv } from 'keyv'
import { expect } from 'vitest'
import { anyStore, scenario, sharedStore, type Site } from '../support/scenario.ts'
import { FakeStore } from '../support/stores.ts'
import { forge } from './frames.ts'
import { get, send } from './raw.ts'
import { openRedis, type OpenRedis } from './redis-keys.ts'
import { makeShelf, serveFrom } from './shelf.ts'

// The same, where the store holds something that is no entry at all (rows 37, 59 and 61).

const JUNK: unknown[] = [
  'text',
  '',
  7,
  true,
  null,
  [],
  {},
  [1, 2],
  { value: 'x' },
  { type: 'Buffer', data: [1, 2] },
  { head: {}, body: 1 },
  JSON.parse('{"__proto__":{"polluted":true}}'),
  ':base64:!!!!',
  ':base64:',
  'x'.repeat(1_000_000),
]
const JUNK_JSON = [
  '{"value":{"__proto__":{"polluted":true}}}',
  '{"__proto__":{"value":":base64:Y2JrMQ=="}}',
  '{"value":":base64:Y2JrMQ==","expires":"never"}',
  '{"value":":base64:Y2JrMQ==","expires":-1}',
  '{"value":{"type":"Buffer","data":"x"}}',
  '{"value":null}',
  '{"value":',
  '[]',
  'null',
  '\0\x01\x02',
  '',
]

scenario('ENTRY-06', 'whatever else lies under a key of a Keyv is a miss', sharedStore, async (stage) => {
  const redis = stage.store === 'redis' ? await openRedis() : undefined
  const map = new Map<string, unknown>()
  const keyv = redis?.keyv ?? new Keyv({ store: map })
  const { site, keys } = await serveFrom(stage, keyv)
  await send(site, get('/a'))
  const [key] = keys as [string]
  const expectMiss = async (what: unknown): Promise<void> => {
    const got = await send(site, get('/a'))
    expect(got, JSON.stringify(what).slice(0, 60)).toMatchObject({ status: 200, text: 'page a' })
    expect(got.cacheStatus, JSON.stringify(what).slice(0, 60)).not.toContain('hit')
  }
  for (const junk of JUNK) {
    await (redis?.other ?? keyv).set(key, junk)
    await expectMiss(junk)
  }
  const rawKey = redis === undefined ? [...map.keys()].find((one) => one.endsWith(key))! : await rawKeyOf(redis, key)
  for (const json of JUNK_JSON) {
    if (redis === undefined) map.set(rawKey, json)
    else await redis.command('SET', rawKey, json)
    await expectMiss(json)
  }
  expect({}).not.toHaveProperty('polluted')
  expect((await send(site, get('/a'))).cacheStatus).toContain('hit')
})

async function rawKeyOf(redis: OpenRedis, key: string): Promise<string> {
  return (await redis.keys()).find((one) => one.endsWith(key))!
}

const TYPES: [type: string, ...command: string[]][] = [
  ['list', 'LPUSH', 'a', 'b'],
  ['hash', 'HSET', 'value', 'x'],
  ['set', 'SADD', 'a'],
  ['sorted set', 'ZADD', '1', 'a'],
  ['stream', 'XADD', '*', 'value', 'x'],
]
const inRedis = { stores: ['redis'], because: 'is about the types of Redis' } as const

scenario('ENTRY-07', 'a key of another type is a miss, and the next render takes its place', inRedis, async (stage) => {
  const redis = await openRedis()
  const { site, keys } = await serveFrom(stage, redis.keyv)
  await send(site, get('/a'))
  const rawKey = await rawKeyOf(redis, keys[0]!)
  for (const [type, command, ...words] of TYPES) {
    await redis.command('DEL', rawKey)
    await redis.command(command!, rawKey, ...words)
    expect(await send(site, get('/a')), type).toMatchObject({ status: 200, text: 'page a' })
    expect((await send(site, get('/a'))).cacheStatus, type).toContain('hit')
    expect(await redis.command('TYPE', rawKey), type).toBe('string')
  }
  expect(site.cache.stats().breaker).toBe('closed')
})

const MARKS: unknown[] = [
  { number: 'x', soft: false, selector: { kind: 'all' } },
  { number: 1e308, soft: false, selector: { kind: 'all' } },
  { number: 1, soft: 'no', selector: { kind: 'all' } },
  { number: Number.MAX_SAFE_INTEGER, soft: false, selector: { kind: 'tag', name: ['a'] } },
  { number: Number.MAX_SAFE_INTEGER, soft: false, selector: { kind: 'url', path: 7 } },
  { number: Number.MAX_SAFE_INTEGER, soft: false, selector: { kind: '__proto__' } },
  null,
  7,
]

scenario('ENTRY-08', 'a record of purges that is none purges nothing, and purges go on', async (stage) => {
  const shelf = await makeShelf(stage)
  const { site } = await serveFrom(stage, shelf.store)
  const records = [
    Buffer.from('junk'),
    forge({ kind: 'purges', marks: MARKS }, Buffer.alloc(0)),
    forge({ kind: 'purges', marks: 'all' }, Buffer.alloc(0)),
    forge({ kind: 'purges', marks: { length: 3 } }, Buffer.alloc(0)),
    forge('{"kind":"purges","__proto__":{"marks":[]}}', Buffer.alloc(0)),
    forge({ kind: 'purges', marks: [{ number: 9, soft: false, selector: { kind: 'all' } }] }, Buffer.alloc(0), 'cbk2'),
  ]
  for (const [i, record] of records.entries()) {
    await send(site, get(`/${i}`))
    await shelf.write('cacheback::purges', record)
    stage.clock.monotonic += 1500
    expect((await send(site, get(`/${i}`))).cacheStatus, `record ${i}`).toContain('hit')
    await site.cache.purge({ url: `/${i}` })
    expect((await send(site, get(`/${i}`))).cacheStatus, `record ${i}`).not.toContain('hit')
  }
})

scenario('ENTRY-09', 'the answer to another question is not taken for the page', anyStore, async (stage) => {
  /** After one lost reply every later one belongs to the request before. */
  class Shifted extends FakeStore {
    before: Uint8Array | undefined
    override async get(key: string): Promise<Uint8Array | undefined> {
      const frame = await super.get(key)
      const answer = this.before
      this.before = frame
      return answer
    }
  }
  const { site } = await serveFrom(stage, new Shifted())
  for (const name of ['alice', 'bob', 'bob', 'alice', 'carol', 'alice', 'alice', 'bob']) {
    expect(await send(site, get(`/${name}`))).toMatchObject({ status: 200, text: `page ${name}` })
  }
  const visits = ['alice', 'bob', 'carol', 'dave'].map((name) => ({ name, done: site.visit(`/${name}`).done }))
  for (const { name, done } of visits) expect((await done).text).toBe(`page ${name}`)
})

scenario(
  'ENTRY-10',
  'where the store answers with the page of another, its connection is made anew',
  inRedis,
  async (stage) => {
    const redis = await openRedis()
    const { site, keys } = await serveFrom(stage, redis.keyv)
    await send(site, get('/a'))
    await send(site, get('/b'))
    const [a, b] = keys as [string, string]
    await redis.other.set(a, await redis.other.get(b))
    const isReadyAgain = once(redis.client, 'ready')
    for (let visit = 0; visit < 3; visit++) expect((await send(site, get('/a'))).text).toBe('page a')
    await isReadyAgain
    // The breaker may have opened meanwhile; it asks once a second.
    for (let tries = 0; tries < 5; tries++) {
      stage.clock.monotonic += 1500
      expect((await send(site, get('/a'))).text).toBe('page a')
    }
    expect((await send(site, get('/a'))).cacheStatus).toContain('hit')
    expect(site.cache.stats().breaker).toBe('closed')
  },
)

scenario(
  'ENTRY-11',
  'where the record of purges has another type, pages go on and a purge holds in this process',
  inRedis,
  async (stage) => {
    const redis = await openRedis()
    const { site } = await serveFrom(stage, redis.keyv)
    await redis.command('LPUSH', await rawPurgesKeyOf(redis, site), 'a', 'b')
    for (let visit = 0; visit < 8; visit++) {
      stage.clock.monotonic += 1500
      expect(await send(site, get('/a'))).toMatchObject({ status: 200, text: 'page a' })
    }
    expect((await send(site, get('/a'))).cacheStatus).toContain('hit')
    expect(site.cache.stats().breaker).toBe('closed')
    // Nobody else can be told, and the application hears of it.
    await expect(site.cache.purge({ url: '/a' })).rejects.toBeInstanceOf(Error)
    expect((await send(site, get('/a'))).cacheStatus).not.toContain('hit')
    expect((await send(site, get('/a'))).cacheStatus).toContain('hit')
  },
)

/** Where the record lies, which a purge has made; it is taken away. */
async function rawPurgesKeyOf(redis: OpenRedis, site: Site): Promise<string> {
  await site.cache.purge({ tag: 'none' })
  const key = await rawKeyOf(redis, ':purges')
  await redis.command('DEL', key)
  return key
}
