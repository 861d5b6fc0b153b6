import { createHook } from 'node:async_hooks'
import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, onTestFinished } from 'vitest'
import type { Answer } from '../../support/app.ts'
import { hit } from '../../support/cache-status.ts'
import { cacheControl, fresh10, stream, text } from '../../support/reply.ts'
import { anyStore, type Limits, scenario, type Stage } from '../../support/scenario.ts'
import { notModified } from './http-origin.ts'

const withCopies: Limits = { stores: ['memory', 'keyv'], because: 'what is made stays in memory' }
const MiB = 1024 * 1024
const html = { ...fresh10, 'content-type': 'text/html; charset=utf-8' }
const br = { 'Accept-Encoding': 'br' }
const PAGE = 'a page that says the same again and again. '.repeat(200)

scenario(
  'REG-113',
  'a page whose codings do not fit into memory beside it stays there as the app has made it',
  anyStore,
  async ({ serve }) => {
    const page = randomBytes(350 * 1024).toString('hex')
    const site = await serve({
      options: { precompress: true, memory: { maxBytes: 1.5 * MiB } },
      routes: { '/x': text(page, html) },
    })
    await site.ask('/x', br)
    for (let i = 0; i < 3; i++) {
      const got = await site.ask('/x', br)
      expect(got).toMatchObject({ status: 200, cacheStatus: hit(10), headers: { vary: 'Accept-Encoding' } })
    }
    expect((await site.ask('/x')).text).toBe(page)
    const { memory, events } = site.cache.stats()
    expect([memory.entries, events.evict, site.renders()]).toEqual([1, 0, 1])
    expect(memory.bytes).toBeLessThanOrEqual(1.5 * MiB)
  },
)

/** How often something has been compressed or expanded. */
function countCodings(): () => number {
  let count = 0
  const hook = createHook({
    init(_id, type) {
      if (type === 'ZLIB') count++
    },
  }).enable()
  onTestFinished(() => void hook.disable())
  return () => count
}

scenario(
  'REG-114',
  'a page that the app has said is the same keeps its codings: they are not made again, and their tags are known',
  withCopies,
  async ({ serve, clock }) => {
    const fields = { ...html, etag: '"v1"' }
    const coded = countCodings()
    const site = await serve({
      options: { precompress: true },
      routes: {
        '/x': ({ headers }) => (headers['if-none-match'] === undefined ? text(PAGE, fields) : notModified(fields)),
      },
    })
    const visit = { ...br, 'If-None-Match': '"v1-br"' }
    await site.ask('/x', br)
    expect(await site.ask('/x', br)).toMatchObject({ headers: { 'content-encoding': 'br', etag: '"v1-br"' } })
    const once = coded()
    expect(once).toBeGreaterThan(0)
    for (let i = 0; i < 3; i++) {
      clock.advance(11)
      // He whose visit asks the app, and whoever comes next.
      const got = await site.ask('/x', br)
      expect(got).toMatchObject({ status: 200, headers: { 'content-encoding': 'br', etag: '"v1-br"' } })
      expect(await site.ask('/x', visit)).toMatchObject({ status: 304, text: '', cacheStatus: hit(10) })
      clock.advance(11)
      expect(await site.ask('/x', visit)).toMatchObject({ status: 304, text: '', headers: { etag: '"v1-br"' } })
    }
    expect(coded()).toBe(once)
    expect((await site.ask('/x')).text).toBe(PAGE)
  },
)

type Kind = readonly [
  title: string,
  headers: Readonly<Record<string, string>>,
  options: Parameters<Stage['options']>[0],
  answer: Answer,
]

const parts = (...some: string[]): Answer => stream(() => Readable.from(some), html)
const kinds: readonly Kind[] = [
  ['captured', {}, {}, text(PAGE, html)],
  ['captured, small', {}, {}, text('small', html)],
  ['streamed', {}, {}, parts(PAGE, PAGE)],
  ['streamed, small', {}, {}, parts('sm', 'all')],
  ['detached', { Cookie: 'a=1' }, { cookies: 'ignore' }, text(PAGE, html)],
  ['detached, small', { Cookie: 'a=1' }, { cookies: 'ignore' }, text('small', html)],
  ['sealed', {}, { sealed: true }, text(PAGE, html)],
  ['sealed, streamed', {}, { sealed: true }, parts(PAGE, PAGE)],
  ['sealed, streamed, small', {}, { sealed: true }, parts('sm', 'all')],
  ['with a Vary of its own', {}, { sealed: true }, text(PAGE, { ...html, vary: 'Accept' })],
]

scenario(
  'REG-115',
  'the first answer and the hits agree on Vary, however the first one was made',
  anyStore,
  async ({ serve }) => {
    for (const [title, headers, options, answer] of kinds) {
      const site = await serve({ options: { ...options, precompress: true }, routes: { '/x': answer } })
      const first = await site.ask('/x', headers)
      expect(first.headers['vary'], title).toMatch(/^(accept, )?accept-encoding$/i)
      for (let i = 0; i < 2; i++) {
        const got = await site.ask('/x', headers)
        expect(got.cacheStatus, title).toBe(hit(10))
        expect(got.headers['vary']?.toLowerCase(), title).toBe(first.headers['vary']?.toLowerCase())
      }
    }
  },
)

scenario(
  'REG-116',
  'jitter takes a part of what is left of a lifetime: what comes from another cache in its age is shared',
  anyStore,
  async ({ serve, gate }) => {
    const hold = gate()
    const site = await serve({
      options: { jitter: 0.5 },
      routes: {
        '/x': async () => {
          await hold()
          return text('page', { ...cacheControl('max-age=60'), age: '50' })
        },
      },
    })
    for (let page = 0; page < 10; page++) void site.crowd(10, `/x?${page}`)
    await site.arrived(100)
    hold.open()
    await site.cache.idle()
    for (let page = 0; page < 10; page++) expect((await site.ask(`/x?${page}`)).cacheStatus).toMatch(/; hit/)
    expect(site.renders()).toBe(10)
  },
)

const pageFor = (maxAge: number) => ({ cacheback: { maxAge }, answer: text('page') })

scenario(
  'REG-117',
  'the names of fields that somebody makes up are not remembered',
  { frameworks: ['express'], stores: ['memory'], because: 'bytes are counted' },
  async ({ serve }) => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const used = (): number => {
      collect()
      return process.memoryUsage().heapUsed
    }
    const routes = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`/${i}`, pageFor(600 + i)]))
    const site = await serve({ routes })
    for (const path of Object.keys(routes)) {
      await site.ask(path)
      expect((await site.ask(path)).cacheStatus).toMatch(/; hit/)
    }
    const send = async (from: number, to: number): Promise<void> => {
      for (let i = from; i < to; i++) {
        const name = `X-${i}-`.padEnd(4000, 'a')
        await site.visit(`/${i % 10}`, { [name]: 'y' }).done
      }
    }
    // What the first thousand bring with them comes once.
    await send(0, 1000)
    const before = used()
    await send(1000, 6000)
    expect(used() - before).toBeLessThan(8 * MiB)
  },
)
