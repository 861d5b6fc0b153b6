import { expect } from 'vitest'
import { hit, STALE, STORED } from '../../support/cache-status.ts'
import { HOST } from '../../support/client.ts'
import { cacheControl, chunks, fresh10, raw, text } from '../../support/reply.ts'
import { scenario, type Site } from '../../support/scenario.ts'
import { plain } from './http-origin.ts'

const swr = cacheControl('max-age=10, stale-while-revalidate=60')

interface Message {
  readonly head: string
  /** Its field lines, as they stand there. */
  readonly lines: readonly string[]
  readonly body: string
}

const request = (path: string, connection: string, http = '1.1'): string =>
  `GET ${path} HTTP/${http}\r\nHost: ${HOST}\r\nConnection: ${connection}\r\n\r\n`

/** What really goes over the wire: a client library would hide framing and hop-by-hop fields. */
async function exchange(site: Site, path: string, connection = 'close', http = '1.1'): Promise<Message> {
  const bytes = await site.send(request(path, connection, http))
  await site.cache.idle()
  const end = bytes.indexOf('\r\n\r\n')
  const [head, ...lines] = bytes.slice(0, end).split('\r\n')
  return { head: head!, lines, body: bytes.slice(end + 4) }
}

const named = ({ lines }: Message, name: string): string[] =>
  lines.filter((line) => line.toLowerCase().startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).trim())

scenario(
  'STAMP-01',
  'Date is stamped when a response is stored, and stays until it is rendered again',
  async (stage) => {
    const { serve, clock } = stage
    const site = await serve({ routes: { '/x': ({ n }) => text(`render ${n}`, swr) } })
    await site.ask('/x')
    const stamped = clock.httpDate()
    for (const seconds of [0, 5, 6]) {
      clock.advance(seconds)
      expect((await site.ask('/x')).headers['date'], `${seconds} later`).toBe(stamped)
    }
    expect((await site.ask('/x')).headers['date']).toBe(clock.httpDate())
  },
)

scenario('STAMP-02', 'a Date that the app sends is kept as it came, on one line', async ({ serve, clock }) => {
  const date = clock.httpDate(-3)
  const site = await serve({ routes: { '/x': plain('page', { ...cacheControl('max-age=100'), date }) } })
  for (const n of [1, 2]) {
    const message = await exchange(site, '/x')
    expect(named(message, 'date'), `visit ${n}`).toEqual([date])
  }
  clock.advance(5)
  expect(await site.ask('/x')).toMatchObject({ age: 8, headers: { date } })
  expect(await site.ask('/x', { 'If-Modified-Since': date })).toMatchObject({ status: 304, headers: { date } })
  expect(await site.ask('HEAD /x')).toMatchObject({ headers: { date } })
})

scenario('STAMP-03', 'Age replaces the one that came, on one line', async ({ serve, clock }) => {
  const site = await serve({ routes: { '/x': plain('page', { ...cacheControl('max-age=100'), age: '7' }) } })
  expect(named(await exchange(site, '/x'), 'age')).toEqual(['7'])
  clock.advance(5)
  expect(named(await exchange(site, '/x'), 'age')).toEqual(['12'])
})

scenario(
  'HOP-01',
  'fields of the connection are never stored, nor are those that Connection names',
  async ({ serve }) => {
    const site = await serve({
      routes: {
        '/x': plain('page', {
          ...fresh10,
          Connection: 'X-Private, close, x-OTHER',
          'Keep-Alive': 'timeout=77',
          'Proxy-Authenticate': 'Basic',
          'Proxy-Authentication-Info': 'x=1',
          'Proxy-Connection': 'close',
          TE: 'trailers',
          Upgrade: 'h2c',
          'X-Private': 'one hop',
          'X-Other': 'one hop',
          'X-Lasting': 'yes',
        }),
      },
    })
    expect(await site.ask('/x')).toMatchObject({ cacheStatus: STORED })
    const message = await exchange(site, '/x')
    expect(named(message, 'cache-status')).toEqual([hit(10)])
    expect(named(message, 'x-lasting')).toEqual(['yes'])
    const gone = ['proxy-authenticate', 'proxy-authentication-info', 'proxy-connection', 'te', 'upgrade']
    for (const name of [...gone, 'x-private', 'x-other', 'keep-alive']) expect(named(message, name), name).toEqual([])
    expect(named(message, 'connection').map((value) => value.toLowerCase())).toEqual(['close'])
    expect(site.renders()).toBe(1)
  },
)

scenario('HOP-02', 'Connection cannot name away what rules over storing', async ({ serve }) => {
  const site = await serve({
    routes: {
      '/vary': ({ headers }) =>
        plain(`in ${headers['accept-language']}`, {
          ...fresh10,
          vary: 'Accept-Language',
          connection: 'vary, cache-control',
        }),
      '/cookie': plain('mine', { ...fresh10, 'set-cookie': 'a=1', connection: 'set-cookie' }),
    },
  })
  await site.ask('/vary', { 'Accept-Language': 'de' })
  expect((await site.ask('/vary', { 'Accept-Language': 'fr' })).text).toBe('in fr')
  expect((await site.ask('/vary', { 'Accept-Language': 'de' })).headers).toMatchObject({ vary: 'Accept-Language' })
  expect((await site.ask('/cookie')).cacheStatus).toContain('detail=set-cookie')
})

scenario('HOP-03', 'a chunked render is stored with a length of its own', async ({ serve }) => {
  const site = await serve({
    routes: {
      '/x': chunks(async function* () {
        yield 'a page '
        yield 'in pieces'
      }, fresh10),
    },
  })
  expect(named(await exchange(site, '/x'), 'transfer-encoding')).toEqual(['chunked'])
  const message = await exchange(site, '/x')
  expect(message.body).toBe('a page in pieces')
  expect(named(message, 'transfer-encoding')).toEqual([])
  expect(named(message, 'content-length')).toEqual(['16'])
  expect(named(message, 'connection')).toEqual(['close'])
})

scenario('HOP-04', 'a client of HTTP/1.0 gets a whole page without chunks', async ({ serve }) => {
  const site = await serve({
    routes: {
      '/x': chunks(async function* () {
        yield 'a page '
        yield 'in pieces'
      }, fresh10),
    },
  })
  for (const n of [1, 2]) {
    const message = await exchange(site, '/x', 'close', '1.0')
    expect(message.body, `visit ${n}`).toBe('a page in pieces')
    expect(named(message, 'transfer-encoding'), `visit ${n}`).toEqual([])
  }
  expect((await site.ask('/x')).cacheStatus).toBe(hit(10))
  expect(site.renders()).toBe(1)
})

scenario('HOP-05', 'the connection of a hit lives as long as its client says', async ({ serve }) => {
  const site = await serve({
    routes: { '/x': plain('page', { ...fresh10, Connection: 'close' }) },
  })
  await site.ask('/x')
  const bytes = await site.send(request('/x', 'keep-alive') + request('/x', 'close'))
  expect(bytes.match(/HTTP\/1\.1 200/g)).toHaveLength(2)
  expect(bytes.match(/cacheback; hit/g)).toHaveLength(2)
})

scenario('HOP-06', 'trailers pass, and are not stored', async ({ serve }) => {
  const site = await serve({
    routes: {
      '/x': raw((_request, response) => {
        response.writeHead(200, { 'Cache-Control': 'max-age=10', Trailer: 'X-Sum' })
        response.write('page')
        response.addTrailers({ 'X-Sum': '42' })
        response.end()
      }),
    },
  })
  const rendered = await exchange(site, '/x')
  expect(rendered.body).toMatch(/^4\r\npage\r\n0\r\nX-Sum: 42\r\n\r\n$/)
  const message = await exchange(site, '/x')
  expect(named(message, 'cache-status')).toEqual([hit(10)])
  expect(message.body).toBe('page')
  expect(named(message, 'trailer')).toEqual([])
  expect(named(message, 'content-length')).toEqual(['4'])
})

scenario('HOP-07', 'a response without content has no length, however often it is served', async ({ serve }) => {
  const site = await serve({ routes: { '/x': plain('', fresh10, 204) } })
  for (const n of [1, 2]) {
    const message = await exchange(site, '/x')
    expect(message.head, `visit ${n}`).toBe('HTTP/1.1 204 No Content')
    expect(message.body, `visit ${n}`).toBe('')
    for (const name of ['content-length', 'transfer-encoding']) expect(named(message, name), name).toEqual([])
  }
  expect(site.renders()).toBe(1)
})

scenario('HOP-08', 'a refresh leaves no field of its own connection behind', async ({ serve, clock }) => {
  const site = await serve({ routes: { '/x': ({ n }) => plain(`render ${n}`, swr) } })
  await site.ask('/x')
  clock.advance(11)
  expect((await site.ask('/x')).warning).toBe(STALE)
  const message = await exchange(site, '/x')
  expect(message.body).toBe('render 2')
  expect(named(message, 'connection')).toEqual(['close'])
  expect(named(message, 'transfer-encoding')).toEqual([])
  expect(named(message, 'date')).toEqual([clock.httpDate()])
})
