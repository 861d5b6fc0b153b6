import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { expect, onTestFinished } from 'vitest'
import { bytes, chunks, type Fields, text } from '../support/reply.ts'
import { anyStore, scenario, type Site } from '../support/scenario.ts'
import { swr } from './attack.ts'
import { type Answer, CLOSE, get, HOST, lines, parse, send } from './raw.ts'

// Denial by work that would be too much (rows 46 to 52).

/** Many requests on one connection, one after the other without waiting. */
async function pipeline(
  site: Site,
  requests: readonly (readonly [target: string, ...fields: string[]])[],
): Promise<Answer[]> {
  const all = requests.map(([target, ...fields], i) =>
    lines(`GET ${target} HTTP/1.1`, [HOST, ...(i === requests.length - 1 ? [CLOSE] : []), ...fields]),
  )
  const answers: Answer[] = []
  let rest: Answer | undefined = parse(await site.send(all.join('')))
  for (; rest !== undefined && rest.status !== 0; [rest] = rest.more) answers.push(rest)
  await site.cache.idle()
  return answers
}

scenario('DENIAL-06', 'URLs without end fill no more memory than they may', anyStore, async ({ serve }) => {
  const site = await serve({
    options: { memory: { maxBytes: 100_000 } },
    routes: { '/x': ({ url }) => text(url.padEnd(1000, '.'), swr) },
  })
  for (let i = 0; i < 500; i += 50) {
    const answers = await pipeline(
      site,
      Array.from({ length: 50 }, (_, k) => [`/x?q=${i + k}`] as const),
    )
    expect(answers.map((answer) => answer.text.trimEnd().replaceAll('.', ''))).toEqual(
      Array.from({ length: 50 }, (_, k) => `/x?q=${i + k}`),
    )
    expect(site.cache.stats().memory.bytes).toBeLessThanOrEqual(100_000)
  }
  expect(site.cache.stats().memory.entries).toBeGreaterThan(20)
})

scenario(
  'DENIAL-07',
  'values without end of a selecting header make few variants, and none of long ones',
  anyStore,
  async ({ serve }) => {
    for (const name of ['User-Agent', 'Accept-Encoding']) {
      const site = await serve({
        routes: { '/x': ({ headers }) => text(`for ${String(headers[name.toLowerCase()])}`, { ...swr, vary: name }) },
      })
      const values = Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? `;;;${i}` : `gzip;q=0.${i}`))
      const answers = await pipeline(
        site,
        values.map((value) => ['/x', `${name}: ${value}`] as const),
      )
      expect(answers.map((answer) => answer.text)).toEqual(values.map((value) => `for ${value}`))
      expect(site.cache.stats().memory.entries).toBeLessThanOrEqual(32)
      for (const _ of [1, 2]) expect((await send(site, get('/x'))).text).toBe('for undefined')
      await site.cache.purge({ all: true })
      const long = await send(site, get('/x', `${name}: ${'a'.repeat(2000)}`))
      expect(long.text).toBe(`for ${'a'.repeat(2000)}`)
      expect(long.cacheStatus).toContain('selecting-length')
      expect(site.cache.stats().memory.entries).toBe(0)
    }
    const long = await serve({ routes: { '*': ({ url }) => text(url, swr) } })
    expect((await send(long, get(`/${'a'.repeat(9000)}`))).cacheStatus).toContain('url-length')
    expect(long.cache.stats().memory.entries).toBe(0)
  },
)

scenario(
  'DENIAL-08',
  'no-cache a hundred times costs no render, and where it counts one for all',
  anyStore,
  async ({ serve, gate }) => {
    const demands = Array.from({ length: 100 }, () => ['/x', 'Cache-Control: no-cache', 'Pragma: no-cache'] as const)
    const site = await serve({ routes: { '/x': text('the page', swr) } })
    await send(site, get('/x'))
    for (const answer of await pipeline(site, demands)) expect(answer.text).toBe('the page')
    expect(site.renders()).toBe(1)

    const hold = gate()
    const heeding = await serve({
      options: { requestCacheControl: true },
      routes: {
        '/x': async ({ n }) => {
          if (n > 1) await hold()
          return text('the page', swr)
        },
      },
    })
    await send(heeding, get('/x'))
    const visits = heeding.crowd(100, '/x', { 'Cache-Control': 'no-cache' })
    await heeding.arrived(101)
    hold.open()
    for (const got of await Promise.all(visits)) expect(got.text).toBe('the page')
    expect(heeding.renders()).toBe(2)
  },
)

scenario('DENIAL-09', 'of a body without end no more is held than may be stored', anyStore, async ({ serve }) => {
  const limit = 64 * 1024
  let most = 0
  const site = await serve({
    options: { memory: { maxBytes: 1024 * 1024, maxEntryBytes: limit } },
    routes: {
      '/x': () =>
        chunks(async function* () {
          for (let i = 0; i < 512; i++) {
            most = Math.max(most, site.cache.stats().capturing)
            yield Buffer.alloc(16 * 1024, 'a')
          }
        }, swr),
    },
  })
  const [one, two] = await Promise.all([send(site, get('/x')), send(site, get('/x'))])
  for (const answer of [one, two]) expect(answer.text.length).toBe(512 * 16 * 1024)
  expect(most).toBeLessThanOrEqual(2 * limit)
  expect(site.cache.stats()).toMatchObject({ capturing: 0, memory: { entries: 0 } })
})

scenario('DENIAL-10', 'who takes the head and reads no further holds up nobody', anyStore, async ({ serve }) => {
  const body = Buffer.alloc(900_000, 'a')
  for (const isSlow of [['leader'], ['follower'], ['leader', 'follower']]) {
    const site = await serve({ routes: { '/x': () => bytes(body, swr) } })
    const { port } = site.server.address() as AddressInfo
    for (const _ of isSlow) {
      const socket = connect(port, '127.0.0.1').on('error', () => undefined)
      onTestFinished(() => void socket.destroy())
      await once(socket, 'connect')
      socket.pause()
      const came = once(site.server, 'request')
      socket.write(get('/x'))
      await came
    }
    for (let visit = 0; visit < 2; visit++) expect((await send(site, get('/x'))).text.length).toBe(body.length)
  }
})

scenario(
  'DENIAL-11',
  'ranges by the thousand, beyond the end or beyond counting get no more than the page',
  anyStore,
  async ({ serve }) => {
    const page = 'the whole page'
    const site = await serve({ routes: { '/x': text(page, swr) } })
    await send(site, get('/x'))
    const many = Array.from({ length: 1000 }, (_, i) => `${i % 10}-${i % 10}`).join()
    const whole = [many, '0-,0-,0-', '5-2', '-9e99', '0-1e3', ',,,', 'a-b', '0x0-0x1', '--1', '0-0-0', ' ', '-']
    for (const range of whole) {
      expect(await send(site, get('/x', `Range: bytes=${range}`)), range.slice(0, 20)).toMatchObject({
        status: 200,
        text: page,
      })
    }
    const parts: [range: string, text: string][] = [
      ['0-18446744073709551615', page],
      ['-18446744073709551615', page],
      [`0-${'9'.repeat(400)}`, page],
      ['4-8', 'whole'],
    ]
    for (const [range, part] of parts) {
      expect(await send(site, get('/x', `Range: bytes=${range}`)), range.slice(0, 30)).toMatchObject({
        status: 206,
        text: part,
      })
    }
    for (const range of ['18446744073709551616-', `${'9'.repeat(400)}-`, '-0']) {
      expect(await send(site, get('/x', `Range: bytes=${range}`)), range.slice(0, 30)).toMatchObject({
        status: 416,
        text: '',
      })
    }
    expect(await send(site, get('/x'))).toMatchObject({ status: 200, text: page })
    expect(site.renders()).toBe(1)
  },
)

scenario('DENIAL-12', 'no header makes a parser work long', anyStore, async ({ serve }) => {
  const spaces = ' '.repeat(70_000)
  const odd: Fields[] = [
    { 'cache-control': `max-age=10, a${spaces}z` },
    { 'cache-control': `max-age=10${',a="\\"'.repeat(10_000)}` },
    { 'cache-control': `max-age=10${spaces},` },
    { ...swr, vary: `,${spaces}`.repeat(2) },
    { ...swr, etag: `W/"${'a'.repeat(70_000)}` },
    { ...swr, 'last-modified': spaces.replaceAll(' ', '0') },
    { ...swr, expires: `Mon, ${spaces}` },
    { ...swr, age: '9'.repeat(70_000) },
    { ...swr, 'cache-tag': ','.repeat(70_000) },
  ]
  const site = await serve({
    options: {
      cookies: { key: ['a'] },
      requestCacheControl: true,
      query: ['a'],
      targetedCacheControl: ['CDN-Cache-Control'],
    },
    routes: { '/odd/:i': ({ params }) => text('odd', odd[Number(params['i'])]), '*': text('the page', swr) },
  })
  const asked = [
    get('/x', `If-None-Match: ${'W/"'.repeat(5000)}`),
    get('/x', `If-None-Match: ${'"a",'.repeat(3500)}`),
    get('/x', `Cache-Control: a${' '.repeat(15_000)}z`),
    get('/x', `Cache-Control: ${'a="\\'.repeat(3000)}`),
    get('/x', `Cookie: ${';'.repeat(15_000)}`),
    get('/x', `Cookie: ${'a=1;'.repeat(3500)}`),
    get('/x', `Forwarded: ${'for="'.repeat(3000)}`),
    get('/x', `Forwarded: ${'for=a;'.repeat(2500)}`),
    get('/x', `X-Forwarded-Host: ${','.repeat(15_000)}`),
    get('/x', `Range: bytes=${','.repeat(15_000)}`),
    get('/x', `If-Modified-Since: ${'0'.repeat(15_000)}`),
    get('/x', `Accept: ${'text/event-strea'.repeat(900)}`),
    get(`/x?${'&'.repeat(8000)}`),
    get(`/x?${'a&'.repeat(4000)}`),
    get(`/x?${'%'.repeat(8000)}`),
    ...odd.map((_, i) => get(`/odd/${i}`)),
  ]
  // Twice: as a miss, and against what is stored.
  for (const request of [...asked, ...asked]) {
    const before = process.cpuUsage()
    const { status, text: body } = await send(site, request)
    expect([200, 304], request.slice(0, 60)).toContain(status)
    if (status === 200) expect(body).toMatch(/^(?:the page|odd)$/)
    // Linear work takes a few milliseconds of the processor; what is not linear takes minutes.
    const { user } = process.cpuUsage(before)
    expect(user / 1000, request.slice(0, 60)).toBeLessThan(1500)
  }
})
