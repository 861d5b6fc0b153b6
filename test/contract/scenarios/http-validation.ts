import { expect } from 'vitest'
import { hit, STALE, STORED } from '../../support/cache-status.ts'
import { cacheControl, type Fields, text } from '../../support/reply.ts'
import { scenario } from '../../support/scenario.ts'
import { notModified, plain, RENDERED, VALIDATED } from './http-origin.ts'

const tagged = { 'cache-control': 'max-age=10', etag: '"v1"' }
const swrTagged = { 'cache-control': 'max-age=10, stale-while-revalidate=60', etag: '"v1"' }

scenario(
  'VAL-01',
  'what may not be served stale is rendered with the stored validators, and a 304 makes it fresh',
  async ({ serve, clock }) => {
    const modified = clock.httpDate(-1000)
    const fields = { ...tagged, 'last-modified': modified }
    const site = await serve({ routes: { '/x': [plain('page', fields), notModified(fields)] } })
    await site.ask('/x')
    expect(site.seen()[0]!.headers['if-none-match']).toBeUndefined()
    clock.advance(11)
    expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'page', cacheStatus: VALIDATED, complete: true })
    expect(site.seen()[1]!.headers).toMatchObject({ 'if-none-match': '"v1"', 'if-modified-since': modified })
    clock.advance(9)
    expect(await site.ask('/x')).toMatchObject({ text: 'page', age: 9, cacheStatus: hit(1), warning: undefined })
  },
)

scenario(
  'VAL-02',
  'a refresh sends the stored validators, and its 304 makes the page fresh',
  async ({ serve, clock }) => {
    const modified = clock.httpDate(-1000)
    const fields = { ...swrTagged, 'last-modified': modified }
    const site = await serve({
      routes: { '/x': [plain('page', { ...fields, 'x-n': '1' }), notModified({ ...fields, 'x-n': '2' })] },
    })
    await site.ask('/x')
    clock.advance(11)
    expect(await site.ask('/x')).toMatchObject({ text: 'page', warning: STALE, headers: { 'x-n': '1' } })
    expect(site.seen()[1]!.headers).toMatchObject({ 'if-none-match': '"v1"', 'if-modified-since': modified })
    expect(await site.ask('/x')).toMatchObject({
      text: 'page',
      age: 0,
      cacheStatus: hit(10),
      headers: { 'x-n': '2', 'content-length': '4' },
    })
  },
)

scenario(
  'VAL-03',
  "the handler sees the stored validators and none of the client's conditions",
  async ({ serve, clock }) => {
    const site = await serve({ routes: { '/x': [plain('page', tagged), notModified(), notModified()] } })
    await site.ask('/x')
    clock.advance(11)
    const conditions = { 'If-None-Match': '"mine", "v1"', 'If-Modified-Since': clock.httpDate() }
    expect(await site.ask('/x', conditions)).toMatchObject({ status: 304, text: '', cacheStatus: VALIDATED })
    expect(site.seen()[1]!.headers['if-none-match']).toBe('"v1"')
    expect(site.seen()[1]!.headers['if-modified-since']).toBeUndefined()
    clock.advance(11)
    expect(await site.ask('/x', { 'If-None-Match': '"mine"' })).toMatchObject({ status: 200, text: 'page' })
    expect(site.seen()[2]!.headers['if-none-match']).toBe('"v1"')
  },
)

const before: Fields = {
  ...tagged,
  'content-type': 'text/plain',
  'content-language': 'en',
  'x-a': ['1', '2'],
  'x-kept': 'yes',
}
const after: Fields = {
  'cache-control': 'max-age=20',
  'content-type': 'text/html',
  'content-language': 'de',
  'content-length': '999',
  'content-encoding': 'gzip',
  'x-a': '3',
  'x-new': ['4', '5'],
}

scenario(
  'VAL-04',
  'a 304 updates every field, Content-Length and Content-Encoding excepted',
  async ({ serve, clock }) => {
    const site = await serve({ routes: { '/x': [plain('page', before), notModified(after)] } })
    await site.ask('/x')
    clock.advance(11)
    const validated = await site.ask('/x')
    const again = await site.ask('/x')
    expect([validated.cacheStatus, again.cacheStatus]).toEqual([VALIDATED, hit(20)])
    for (const got of [validated, again]) {
      expect(got).toMatchObject({ status: 200, text: 'page', complete: true })
      expect(got.headers).toMatchObject({
        'cache-control': 'max-age=20',
        'content-type': 'text/html',
        'content-language': 'de',
        'content-length': '4',
        'x-a': '3',
        'x-kept': 'yes',
        'x-new': '4, 5',
        date: clock.httpDate(),
        etag: '"v1"',
      })
      expect(got.headers['content-encoding']).toBeUndefined()
    }
  },
)

scenario('VAL-05', 'a stored Content-Encoding stays', async ({ serve, clock }) => {
  const site = await serve({
    routes: {
      '/x': [
        plain('bytes', { ...tagged, 'content-encoding': 'br' }),
        notModified({ ...tagged, 'content-encoding': 'gzip' }),
      ],
    },
  })
  await site.ask('/x')
  clock.advance(11)
  await site.ask('/x')
  expect(await site.ask('/x')).toMatchObject({ text: 'bytes', headers: { 'content-encoding': 'br' } })
})

scenario('VAL-06', 'warnings of the 1xx kind end with a validation, others stay', async ({ serve, clock }) => {
  const warning = ['199 - "old"', '299 - "lasting"']
  const site = await serve({
    routes: { '/x': [plain('page', { ...tagged, warning }), notModified({ warning: '110 - "a word of the origin"' })] },
  })
  expect((await site.ask('/x')).warning).toBe('199 - "old", 299 - "lasting"')
  clock.advance(11)
  await site.ask('/x')
  expect(await site.ask('/x')).toMatchObject({ cacheStatus: hit(10), warning: '299 - "lasting"' })
})

scenario('VAL-07', 'likewise where several warnings stand in one line', async ({ serve, clock }) => {
  const site = await serve({
    routes: {
      '/a': [plain('page', { ...tagged, warning: '199 - "old", 299 - "lasting"' }), notModified()],
      '/b': [plain('page', { ...tagged, warning: '299 - "lasting", 199 - "old"' }), notModified()],
    },
  })
  for (const path of ['/a', '/b']) await site.ask(path)
  clock.advance(11)
  for (const path of ['/a', '/b']) await site.ask(path)
  for (const path of ['/a', '/b']) expect((await site.ask(path)).warning, path).toBe('299 - "lasting"')
})

for (const [id, where, answered] of [
  ['VAL-08', 'in the foreground', tagged],
  ['VAL-09', 'in a refresh', swrTagged],
] as const) {
  scenario(id, `a 304 that forbids reuse, ${where}, evicts`, async ({ serve, clock }) => {
    const site = await serve({
      routes: {
        '/x': [plain('page', answered), notModified({ 'cache-control': 'no-store' }), plain('new', answered)],
      },
    })
    await site.ask('/x')
    clock.advance(11)
    const got = await site.ask('/x')
    expect(got).toMatchObject({ status: 200, text: 'page', complete: true })
    expect(got.cacheStatus).not.toContain('stored')
    expect(await site.ask('/x')).toMatchObject({ text: 'new', cacheStatus: STORED })
    expect(site.seen()[2]!.headers['if-none-match']).toBeUndefined()
  })
}

scenario('VAL-10', 'a 304 about another ETag leaves nothing behind', async ({ serve, clock }) => {
  const site = await serve({
    routes: { '/x': [plain('page', tagged), notModified({ ...tagged, etag: '"v2"' }), plain('new', tagged)] },
  })
  await site.ask('/x')
  clock.advance(11)
  const got = await site.ask('/x')
  expect(got).toMatchObject({ status: 200, text: 'page', headers: { etag: '"v1"' } })
  expect(got.cacheStatus).not.toContain('stored')
  expect(await site.ask('/x')).toMatchObject({ text: 'new', cacheStatus: STORED })
})

scenario('VAL-11', 'weak ETags validate', async ({ serve, clock }) => {
  const weak = { ...tagged, etag: 'W/"v1"' }
  const site = await serve({ routes: { '/x': [plain('page', weak), notModified(weak), notModified(tagged)] } })
  await site.ask('/x')
  for (const n of [1, 2]) {
    clock.advance(11)
    expect(await site.ask('/x'), `validation ${n}`).toMatchObject({ text: 'page', cacheStatus: VALIDATED })
    expect(site.seen()[n]!.headers['if-none-match']).toBe('W/"v1"')
  }
})

scenario('VAL-12', 'a Last-Modified alone validates, unchanged to the byte', async ({ serve, clock }) => {
  const modified = 'Sunday, 06-Nov-94 08:49:37 GMT'
  const fields = { 'cache-control': 'max-age=10', 'last-modified': modified }
  const site = await serve({ routes: { '/x': [plain('page', fields), notModified()] } })
  await site.ask('/x')
  clock.advance(11)
  expect(await site.ask('/x')).toMatchObject({ text: 'page', cacheStatus: VALIDATED })
  expect(site.seen()[1]!.headers['if-modified-since']).toBe(modified)
  expect(site.seen()[1]!.headers['if-none-match']).toBeUndefined()
  expect((await site.ask('/x')).cacheStatus).toBe(hit(10))
})

scenario('VAL-13', 'an ETag of our own making is not what the app is asked about', async ({ serve, clock }) => {
  const site = await serve({
    routes: {
      '/foreground': ({ n }) => plain(`page ${n}`, cacheControl('max-age=10')),
      '/refresh': ({ n }) => plain(`page ${n}`, cacheControl('max-age=10, stale-while-revalidate=60')),
    },
  })
  for (const path of ['/foreground', '/refresh']) {
    await site.ask(path)
    expect((await site.ask(path)).headers['etag'], path).toBeDefined()
  }
  clock.advance(11)
  for (const path of ['/foreground', '/refresh']) {
    await site.ask(path)
    expect(site.seen(path)[1]!.headers['if-none-match'], path).toBeUndefined()
    expect((await site.ask(path)).text, path).toBe('page 2')
  }
})

scenario('VAL-14', 'a whole response to a validation takes the place of the stored one', async ({ serve, clock }) => {
  const site = await serve({ routes: { '/x': [text('one', tagged), text('two', { ...tagged, etag: '"v2"' })] } })
  await site.ask('/x')
  clock.advance(11)
  expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'two', cacheStatus: RENDERED })
  expect(await site.ask('/x')).toMatchObject({ text: 'two', cacheStatus: hit(10), headers: { etag: '"v2"' } })
})
