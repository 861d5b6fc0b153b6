import { onTestFinished, expect, test } from 'vitest'
import { type Edit, type Proxy, startProxy } from '../support/proxy.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { cacheControl, text } from '../support/reply.ts'
import { noteRow } from './redis-measured.ts'
import { shared, type StoreMaker } from './redis-adapters.ts'
import { type RedisSite, startSite } from './redis-site.ts'
import { eventually, listenersOf } from './redis-traffic.ts'

const NAMES = ['fastify', 'express', 'koa'] as const
const PATHS = ['/alice', '/bob', '/carol', '/dave']

/** To the last byte. */
const bodyOf = (path: string): string => `page ${path} `.padEnd(300, path)

interface Witness {
  readonly isFrame: IsFrame
  readonly site: RedisSite
  readonly proxy: Proxy
}

let started = 0

/** A site without copies, behind a proxy of its own, and pages in its Redis. */
async function startWitness(redis: RedisServer, make: StoreMaker): Promise<Witness> {
  const proxy = await startProxy(redis.socketPath)
  onTestFinished(proxy.close)
  started += 1
  const site = await startSite({
    framework: NAMES[started % NAMES.length]!,
    hasMemory: false,
    store: make(proxy.port),
    origin: (path) => text(bodyOf(path), cacheControl('max-age=600')),
    // A busy machine is no slow store: that would be another fault.
    options: { name: `liar${started}`, storeTimeoutMs: { get: 150, set: 500 } },
  })
  for (const path of PATHS) await site.visit(path)
  await site.cache.idle()
  return { site, proxy, isFrame: make === shared ? isRankedFrame : isPlainFrame }
}

async function startOwnRedis(): Promise<RedisServer> {
  const redis = await startRedis()
  onTestFinished(redis.stop)
  return redis
}

/** Some visitors at once; each gets his page. Resolves with whether all of them were hits. */
async function crowd(site: RedisSite): Promise<boolean> {
  const all = await Promise.all(PATHS.map((path) => site.visit(path)))
  for (const [i, got] of all.entries()) {
    expect(got).toMatchObject({ status: 200, complete: true, text: bodyOf(PATHS[i]!) })
  }
  return all.every(({ cacheStatus }) => cacheStatus?.includes('; hit')) && site.cache.stats().breaker === 'closed'
}

/** A frame, and not the answer that there is none. */
const isPlainFrame: IsFrame = (reply) => reply[0] === 0x24 && reply[1] !== 0x2d
/** The same in an array, as it is: with the page. */
const isRankedFrame: IsFrame = (reply) => reply[0] === 0x2a && reply.includes('page /')

type IsFrame = (reply: Buffer) => boolean

/** One lie: nobody gets another's page, and within 2 s all come from the store again, and go on to. */
async function lie({ site, proxy, isFrame }: Witness, edit: Edit): Promise<number> {
  await eventually('all stored', 2000, () => crowd(site))
  const told = proxy.tamper(edit, isFrame)
  await crowd(site)
  await told
  let inARow = 0
  return eventually(`${site.label}: the truth again`, 2000, async () => {
    inARow = (await crowd(site)) ? inARow + 1 : 0
    return inARow === 5
  })
}

/** The same lie in several wordings, at the same time, each to a site of its own. */
async function lies(make: StoreMaker, name: string, edits: readonly Edit[]): Promise<Witness[]> {
  const redis = await startOwnRedis()
  const told = edits.map(async (edit) => {
    const witness = await startWitness(redis, make)
    const { accepted } = witness.proxy
    const tookMs = await lie(witness, edit)
    return { witness, tookMs, isNew: witness.proxy.accepted > accepted }
  })
  const all = await Promise.all(told)
  noteRow({
    fault: name,
    wordings: edits.length,
    'wrong bodies': 0,
    'new connections': all.filter(({ isNew }) => isNew).length,
    'recovery, s': (Math.max(...all.map(({ tookMs }) => tookMs)) / 1000).toFixed(2),
  })
  return all.map(({ witness }) => witness)
}

const withByte =
  (at: number, byte: number): Edit =>
  (reply) => {
    const changed = Buffer.from(reply)
    changed[at] = byte
    return changed
  }

/** The same, counted from where the first element of an array begins. */
const withinArray =
  (edit: Edit): Edit =>
  (reply) => {
    const at = reply.indexOf('$')
    return Buffer.concat([reply.subarray(0, at), edit(reply.subarray(at))])
  }

/** What a Redis may say that is not so, over any store. */
export function playLies(make: StoreMaker): void {
  test('FAULT-18 one corrupt byte, that of the type, shows nobody another page', async () => {
    await lies(
      make,
      'wrong type byte',
      Array.from(make === shared ? '$X+_>' : '*X+_>', (type) => withByte(0, type.charCodeAt(0))).concat(
        make === shared ? Array.from('*X+:_', (type) => withinArray(withByte(0, type.charCodeAt(0)))) : [],
      ),
    )
  })

  test('FAULT-19 one corrupt byte, in a length, shows nobody another page', async () => {
    await lies(make, 'wrong length', [
      // Longer: the next replies are swallowed. Shorter, and no number at all.
      withByte(1, 0x39),
      withByte(1, 0x31),
      withByte(2, 0x78),
      ...(make === shared ? [withinArray(withByte(1, 0x39)), withinArray(withByte(1, 0x31)), withByte(1, 0x78)] : []),
    ])
  })

  test('FAULT-44 one corrupt byte, in the page itself, shows nobody a wrong page', async () => {
    const shares = [0.15, 0.3, 0.45, 0.6, 0.75, 0.9]
    await lies(
      make,
      'wrong byte in a page',
      shares.map((share) => (reply) => {
        const at = Math.floor(reply.length * share)
        // Base64 it was and base64 it stays.
        return withByte(at, reply[at] === 0x41 ? 0x42 : 0x41)(reply)
      }),
    )
  })

  test('FAULT-20 a lost reply shifts none of the others, and the connection is made anew', async () => {
    await lies(make, 'lost reply', [() => Buffer.alloc(0)])
  })

  test('FAULT-21 a reply that comes twice shows nobody another page', async () => {
    await lies(make, 'reply twice', [(reply) => Buffer.concat([reply, reply])])
  })

  test('FAULT-22 garbage between the replies shows nobody another page', async () => {
    await lies(make, 'garbage', [
      (reply) => Buffer.concat([Buffer.from('\r\n\r\n'), reply]),
      (reply) => Buffer.concat([Buffer.from([0, 255, 128, 13, 10]), reply]),
      (reply) => Buffer.concat([Buffer.from('+OK\r\n'), reply]),
      (reply) => Buffer.concat([Buffer.from('$5\r\nhello\r\n'), reply]),
      (reply) => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'.padEnd(reply.length, '!')),
    ])
  })

  test('FAULT-23 a reply that breaks off with its connection shows nobody half a page', async () => {
    const redis = await startOwnRedis()
    const witness = await startWitness(redis, make)
    const { proxy } = witness
    await lie(witness, (reply) => {
      setImmediate(() => {
        proxy.cut('end')
        setImmediate(proxy.restore)
      })
      return reply.subarray(0, reply.length >> 1)
    })
  })

  test('FAULT-24 a reply that is lost where one page alone is asked for is noticed as well', async () => {
    const redis = await startOwnRedis()
    const { site, proxy, isFrame } = await startWitness(redis, make)
    const { accepted } = proxy
    const told = proxy.tamper(() => Buffer.alloc(0), isFrame)
    await site.visit('/alice')
    await told
    // Every reply is that to the request before, for the same key: only the answers to pings are out of place.
    await eventually('a new connection', 2000, async () => {
      const all = await Promise.all([site.visit('/alice'), site.visit('/alice')])
      for (const got of all) expect(got).toMatchObject({ status: 200, text: bodyOf('/alice') })
      return proxy.accepted > accepted
    })
  })

  test('FAULT-25 after lie upon lie the client has no more listeners than at first', async () => {
    const redis = await startOwnRedis()
    const witness = await startWitness(redis, make)
    const { site, proxy, isFrame } = witness
    const listeners = listenersOf(site)
    const { accepted } = proxy
    for (let i = 1; i <= 12; i++) {
      const told = proxy.tamper(withByte(0, 0x58), isFrame)
      // One at a time, so that the breaker stays closed and each is a new connection.
      await site.visit('/alice')
      await told
      await eventually(`connection ${i}`, 2000, async () => {
        const got = await site.visit('/alice')
        return proxy.accepted === accepted + i && got.cacheStatus?.includes('; hit') === true
      })
    }
    expect(listenersOf(site)).toBe(listeners)
  })

  test('FAULT-26 corrupt bytes at random places show nobody another page', async () => {
    const seed = Number(process.env['CACHEBACK_SEED'] ?? Date.now() % 1_000_000)
    const random = randomOf(seed)
    const redis = await startOwnRedis()
    const witnesses = await Promise.all(Array.from({ length: 6 }, () => startWitness(redis, make)))
    const until = performance.now() + 2000
    let count = 0
    try {
      await Promise.all(
        witnesses.map(async ({ site, proxy }) => {
          while (performance.now() < until) {
            count += 1
            const told = proxy.tamper(atRandom, () => random() < 0.3).then(() => 'told')
            while ((await Promise.race([told, crowd(site)])) !== 'told' && performance.now() < until);
          }
          proxy.restore()
          await eventually('the truth again', 4000, () => crowd(site))
        }),
      )
    } catch (error) {
      throw new Error(`CACHEBACK_SEED=${seed}, after ${count} lies`, { cause: error })
    }

    /** Often near the beginning, where types and lengths are. */
    function atRandom(reply: Buffer): Buffer {
      return withByte(Math.floor(random() ** 3 * reply.length), Math.floor(random() * 256))(reply)
    }
  })
}

/** Numbers from 0 to 1 by chance, the same for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
