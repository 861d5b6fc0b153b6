import { expect } from 'vitest'
import { hit, STALE } from '../../support/cache-status.ts'
import { cacheControl, type Fields } from '../../support/reply.ts'
import { scenario, type Site, type Stage } from '../../support/scenario.ts'
import { plain } from './http-origin.ts'

/** Every byte value, so that no text encoding can pass through unseen. */
const BODY = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
const FIELDS = { ...cacheControl('max-age=10'), etag: '"v1"', 'content-type': 'application/octet-stream' }

/** A site whose `/x` is stored. */
async function stored({ serve }: Stage, fields: Fields = FIELDS, body = BODY): Promise<Site> {
  const site = await serve({ routes: { '/x': plain(body, fields) } })
  await site.ask('/x')
  return site
}

async function expectPart(site: Site, range: string, first: number, last: number): Promise<void> {
  const got = await site.ask('/x', { Range: range })
  expect(got, range).toMatchObject({ status: 206, reason: 'Partial Content', complete: true, cacheStatus: hit(10) })
  expect(got.headers, range).toMatchObject({
    'content-range': `bytes ${first}-${last}/256`,
    'content-length': String(last - first + 1),
    'content-type': 'application/octet-stream',
    etag: '"v1"',
    age: '0',
  })
  expect(got.body.equals(BODY.subarray(first, last + 1)), range).toBe(true)
}

async function expectWhole(site: Site, headers: Fields): Promise<void> {
  const got = await site.ask('/x', headers)
  const label = JSON.stringify(headers)
  expect(got, label).toMatchObject({ status: 200, complete: true })
  expect(got.headers['content-range'], label).toBeUndefined()
  expect(got.body.equals(BODY), label).toBe(true)
}

scenario('RANGE-01', 'a range of a stored 200 is answered byte by byte', async (stage) => {
  const site = await stored(stage)
  await expectPart(site, 'bytes=0-0', 0, 0)
  await expectPart(site, 'bytes=10-19', 10, 19)
  await expectPart(site, 'bytes=255-255', 255, 255)
  await expectPart(site, 'bytes=0-255', 0, 255)
  expect(site.renders()).toBe(1)
})

scenario('RANGE-02', 'suffixes and open ends', async (stage) => {
  const site = await stored(stage)
  await expectPart(site, 'bytes=-1', 255, 255)
  await expectPart(site, 'bytes=-100', 156, 255)
  await expectPart(site, 'bytes=200-', 200, 255)
  await expectPart(site, 'bytes=0-', 0, 255)
})

scenario('RANGE-03', 'what goes beyond the end is clamped', async (stage) => {
  const site = await stored(stage)
  await expectPart(site, 'bytes=250-1000', 250, 255)
  await expectPart(site, 'bytes=-1000', 0, 255)
  await expectPart(site, `bytes=250-${'9'.repeat(400)}`, 250, 255)
  await expectPart(site, 'BYTES=1-2', 1, 2)
  await expectPart(site, 'bytes= 1-2 ', 1, 2)
})

scenario('RANGE-04', 'a range that begins behind the end is 416, with the length', async (stage) => {
  const site = await stored(stage)
  for (const range of ['bytes=256-', 'bytes=300-400', 'bytes=-0', 'bytes=256-256,999-']) {
    const got = await site.ask('/x', { Range: range })
    expect(got, range).toMatchObject({ status: 416, text: '', complete: true })
    expect(got.headers, range).toMatchObject({ 'content-range': 'bytes */256', 'content-length': '0' })
  }
  expect((await site.ask('/x')).status).toBe(200)
})

/** The parts of a multipart/byteranges, as a reader of RFC 9110 §14.6 takes them. */
function partsOf(contentType: string, body: Buffer): { fields: string[]; body: Buffer }[] {
  const boundary = /^multipart\/byteranges; boundary="?([^";]+)"?$/.exec(contentType)![1]!
  // A delimiter has its line break before it; the first one may do without.
  const pieces = `\r\n${body.toString('latin1')}`.split(`\r\n--${boundary}`)
  expect(pieces.at(-1)).toBe('--\r\n')
  expect(pieces[0]!.trim()).toBe('')
  return pieces.slice(1, -1).map((piece) => {
    const end = piece.indexOf('\r\n\r\n')
    const fields = piece.slice(2, end).split('\r\n')
    return { fields: fields.map((line) => line.toLowerCase()), body: Buffer.from(piece.slice(end + 4), 'latin1') }
  })
}

scenario('RANGE-05', 'several ranges are multipart/byteranges, each with its own Content-Range', async (stage) => {
  const site = await stored(stage)
  const got = await site.ask('/x', { Range: 'bytes=0-4,10-14, -3' })
  expect(got).toMatchObject({ status: 206, complete: true, cacheStatus: hit(10) })
  expect(got.headers['content-range']).toBeUndefined()
  expect(got.headers['content-length']).toBe(String(got.body.length))
  const parts = partsOf(got.headers['content-type']!, got.body)
  for (const [i, [first, last]] of [
    [0, 4],
    [10, 14],
    [253, 255],
  ].entries()) {
    expect(parts[i]!.fields).toContain('content-type: application/octet-stream')
    expect(parts[i]!.fields).toContain(`content-range: bytes ${first}-${last}/256`)
    expect(parts[i]!.body.equals(BODY.subarray(first, last! + 1))).toBe(true)
  }
  expect(parts).toHaveLength(3)
})

scenario('RANGE-06', 'of several ranges those behind the end are left out', async (stage) => {
  const site = await stored(stage)
  await expectPart(site, 'bytes=900-,5-6', 5, 6)
  const got = await site.ask('/x', { Range: 'bytes=0-0,900-,2-2' })
  expect(partsOf(got.headers['content-type']!, got.body)).toHaveLength(2)
})

const oneByteEach = (count: number): string =>
  `bytes=${Array.from({ length: count }, (_, i) => `${i * 2}-${i * 2}`).join(',')}`

scenario(
  'RANGE-07',
  'eight ranges are answered; a ninth, or more bytes than there are, gets the whole',
  async (stage) => {
    const site = await stored(stage)
    const eight = await site.ask('/x', { Range: oneByteEach(8) })
    expect(partsOf(eight.headers['content-type']!, eight.body)).toHaveLength(8)
    await expectWhole(site, { Range: oneByteEach(9) })
    await expectWhole(site, { Range: oneByteEach(1000) })
    await expectWhole(site, { Range: 'bytes=0-200,100-255' })
    await expectWhole(site, { Range: 'bytes=0-,0-,0-' })
  },
)

scenario('RANGE-08', 'another unit and what is malformed are as if they were not there', async (stage) => {
  const site = await stored(stage)
  for (const range of ['items=0-1', 'bytes', 'bytes=', 'bytes=a-b', 'bytes=5-2', 'bytes=-', 'bytes=1-2,x', '0-1']) {
    await expectWhole(site, { Range: range })
  }
})

scenario(
  'RANGE-09',
  'If-Range: the same strong ETag lets the range count, another or a weak one not',
  async (stage) => {
    const site = await stored(stage)
    expect((await site.ask('/x', { Range: 'bytes=0-1', 'If-Range': '"v1"' })).status).toBe(206)
    for (const tag of ['"v2"', 'W/"v1"', '"v1", "v2"', 'v1']) {
      await expectWhole(site, { Range: 'bytes=0-1', 'If-Range': tag })
    }
  },
)

scenario('RANGE-10', 'a weak stored ETag never lets a range count', async (stage) => {
  const site = await stored(stage, { ...FIELDS, etag: 'W/"v1"' })
  for (const tag of ['"v1"', 'W/"v1"']) await expectWhole(site, { Range: 'bytes=0-1', 'If-Range': tag })
  expect((await site.ask('/x', { Range: 'bytes=0-1' })).status).toBe(206)
})

scenario('RANGE-11', 'If-Range by date means exactly that Last-Modified', async (stage) => {
  const { clock } = stage
  const modified = clock.httpDate(-1000)
  const site = await stored(stage, { ...FIELDS, 'last-modified': modified })
  expect((await site.ask('/x', { Range: 'bytes=0-1', 'If-Range': modified })).status).toBe(206)
  for (const date of [clock.httpDate(-999), clock.httpDate(-1001), clock.httpDate(), 'yesterday']) {
    await expectWhole(site, { Range: 'bytes=0-1', 'If-Range': date })
  }
})

scenario('RANGE-12', 'HEAD knows no ranges; a matching If-None-Match comes first', async (stage) => {
  const site = await stored(stage)
  const head = await site.ask('HEAD /x', { Range: 'bytes=0-1' })
  expect(head).toMatchObject({ status: 200, text: '', headers: { 'content-length': '256' } })
  const both = { Range: 'bytes=0-1', 'If-None-Match': '"v1"' }
  expect(await site.ask('/x', both)).toMatchObject({ status: 304, text: '' })
  expect((await site.ask('/x', { ...both, 'If-None-Match': '"v2"' })).status).toBe(206)
})

scenario(
  'RANGE-13',
  'a range of a stale page is a part of it, and the refresh behind it asks for all',
  async (stage) => {
    const fields = { ...FIELDS, 'cache-control': 'max-age=10, stale-while-revalidate=60' }
    const site = await stored(stage, fields)
    stage.clock.advance(11)
    const got = await site.ask('/x', { Range: 'bytes=1-3', 'If-Range': '"v1"' })
    expect(got).toMatchObject({ status: 206, warning: STALE, age: 11, cacheStatus: hit(-1) })
    expect(got.body.equals(BODY.subarray(1, 4))).toBe(true)
    expect(site.seen()[1]!.headers['range']).toBeUndefined()
    expect(site.seen()[1]!.headers['if-range']).toBeUndefined()
    const whole = await site.ask('/x')
    expect(whole).toMatchObject({ status: 200, cacheStatus: hit(10) })
    expect(whole.body.equals(BODY)).toBe(true)
  },
)

scenario(
  'RANGE-14',
  'on a miss the handler answers the range itself, and nothing of it is stored',
  async ({ serve }) => {
    const site = await serve({
      routes: {
        '/x': ({ headers }) => {
          if (headers.range === undefined) return plain(BODY, FIELDS)
          return plain(BODY.subarray(2, 4), { ...FIELDS, 'content-range': 'bytes 2-3/256' }, 206)
        },
      },
    })
    const part = await site.ask('/x', { Range: 'bytes=2-3', 'If-Range': '"v1"' })
    expect(part).toMatchObject({ status: 206, cacheStatus: 'cacheback; fwd=uri-miss; detail=range' })
    expect(part.body.equals(BODY.subarray(2, 4))).toBe(true)
    expect(site.seen()[0]!.headers).toMatchObject({ range: 'bytes=2-3', 'if-range': '"v1"' })
    await expectWhole(site, {})
    await expectPart(site, 'bytes=2-3', 2, 3)
    expect(site.renders()).toBe(2)
  },
)

scenario(
  'RANGE-15',
  'a range is for a 200: a stored 404 is sent whole; an empty body has no bytes',
  async ({ serve }) => {
    const site = await serve({
      routes: { '/404': plain('none', FIELDS, 404), '/empty': plain('', FIELDS) },
    })
    for (const path of ['/404', '/empty']) await site.ask(path)
    expect(await site.ask('/404', { Range: 'bytes=0-1' })).toMatchObject({ status: 404, text: 'none' })
    const got = await site.ask('/empty', { Range: 'bytes=0-' })
    expect(got).toMatchObject({ status: 416, headers: { 'content-range': 'bytes */0' } })
  },
)
