import { expect } from 'vitest'
import type { Exchange } from '../../support/app.ts'
import { bypass, hit, numbered, STORED, unstored } from '../../support/cache-status.ts'
import { cacheControl, text, type Fields } from '../../support/reply.ts'
import { scenario, type Site } from '../../support/scenario.ts'

/** A route per list entry: `/0`, `/1`, … */
const listed = (list: readonly Fields[], status: (i: number) => number = () => 200) => ({
  '/:i': ({ n, params }: Exchange) => text(`render ${n}`, list[Number(params['i'])], status(Number(params['i']))),
})

async function isStored(site: Site, path: string): Promise<boolean> {
  await site.ask(path)
  const before = site.renders()
  await site.ask(path)
  return site.renders() === before
}

async function expectStored(site: Site, list: readonly unknown[], expected: boolean): Promise<void> {
  for (const [i, entry] of list.entries()) {
    expect(await isStored(site, `/${i}`), JSON.stringify(entry)).toBe(expected)
  }
}

scenario(
  'DECIDE-01',
  'only GET is stored; other methods pass and are never answered from the store',
  async ({ serve }) => {
    const methods = ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
    const site = await serve({ routes: { '/x': { methods: ['GET', ...methods], answer: numbered() } } })
    await site.ask('/x')
    for (const [i, method] of methods.entries()) {
      expect(await site.ask(`${method} /x`)).toMatchObject({
        text: `render ${i + 2}`,
        cacheStatus: 'cacheback; fwd=method',
      })
    }
  },
)

scenario('DECIDE-02', 'a GET with a body bypasses', async ({ serve }) => {
  const site = await serve({ routes: { '/x': numbered() } })
  const body = await site.ask('/x', { 'Content-Type': 'application/json' }, { body: '{"page":"evil"}' })
  expect(body.cacheStatus).toBe(bypass('body'))
  const chunked =
    'GET /x HTTP/1.1\r\nHost: example.test\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'
  expect((await site.send(chunked)).toLowerCase()).toContain('cache-status: cacheback; fwd=bypass; detail=body')
  expect((await site.ask('/x')).cacheStatus).toBe(STORED)
})

const statuses = [201, 202, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 410, 414, 429, 500, 503]

scenario('DECIDE-03', 'a configured maxAge is for 200 alone', async ({ serve }) => {
  const site = await serve({
    options: { maxAge: 60 },
    routes: listed(
      statuses.map(() => ({})),
      (i) => statuses[i]!,
    ),
  })
  await expectStored(site, statuses, false)
})

scenario('DECIDE-04', 'other final statuses are stored when they are explicitly fresh', async ({ serve }) => {
  const kept = [203, 204, 300, 301, 302, 308, 404, 405, 410, 414, 501]
  const site = await serve({
    routes: listed(
      kept.map(() => cacheControl('max-age=60')),
      (i) => kept[i]!,
    ),
  })
  await expectStored(site, kept, true)
})

scenario('DECIDE-05', 'what forbids storing forbids it in every spelling', async ({ serve }) => {
  const forbidden = [
    'no-store',
    'private',
    'no-cache',
    'Private',
    'NO-STORE',
    'public, private',
    'private=""',
    'private, private="x"',
    'private="set-cookie"',
    'no-cache="x"',
    'max-age=60,no-store',
    'max-age=60 , private ',
    'foo="a,b", private',
    'foo="a\\"b", no-store',
    '\tno-store',
    ['max-age=60', 'private'],
    ['max-age=60', 'x, no-store'],
  ]
  const list = forbidden.map((value) => ({ 'cache-control': value, expires: 'Sat, 05 Apr 2031 07:07:08 GMT' }))
  const site = await serve({ options: { maxAge: 60 }, routes: listed(list) })
  await expectStored(site, forbidden, false)
})

scenario('DECIDE-06', 'nothing inside quotes is a directive', async ({ serve }) => {
  const site = await serve({
    routes: listed([
      cacheControl('foo="max-age=99"'),
      cacheControl('foo="a, max-age=99"'),
      cacheControl('ext="private", max-age=99'),
    ]),
  })
  expect(await isStored(site, '/0')).toBe(false)
  expect(await isStored(site, '/1')).toBe(false)
  expect(await isStored(site, '/2')).toBe(true)
})

scenario('DECIDE-07', 'the reason stands in Cache-Status', async ({ serve }) => {
  const reasons: [reason: string, headers: Fields][] = [
    ['no-store', cacheControl('no-store')],
    ['private', cacheControl('private, max-age=60')],
    ['set-cookie', { 'set-cookie': 'a=1', 'cache-control': 'max-age=60' }],
    ['no-freshness', {}],
    ['vary-any', { vary: '*', 'cache-control': 'max-age=60' }],
  ]
  const site = await serve({ routes: listed(reasons.map(([, headers]) => headers)) })
  for (const [i, [reason]] of reasons.entries()) expect((await site.ask(`/${i}`)).cacheStatus).toBe(unstored(reason))
})

scenario('DECIDE-08', 's-maxage comes before max-age, max-age before Expires', async ({ serve, clock }) => {
  const site = await serve({
    routes: listed([
      { 'cache-control': 'max-age=5, s-maxage=20', expires: clock.httpDate(100) },
      { 'cache-control': 'max-age=20', expires: clock.httpDate(5) },
      { expires: clock.httpDate(20), date: clock.httpDate() },
      { 'cache-control': 'MAX-AGE=5, S-MaxAge=20' },
    ]),
  })
  for (let i = 0; i < 4; i++) {
    await site.ask(`/${i}`)
    expect((await site.ask(`/${i}`)).cacheStatus).toBe(hit(20))
  }
})

scenario('DECIDE-09', 'a lifetime that is no number is none; a huge one is long, not broken', async ({ serve }) => {
  const broken = [
    'max-age=-2',
    'max-age=a2',
    'max-age=2a',
    'max-age=',
    'max-age',
    'max-age=1.5',
    's-maxage=x, max-age=60',
  ]
  const huge = ['max-age=99999999999999999999', 'max-age=4294967296']
  const site = await serve({ routes: listed([...broken, ...huge].map(cacheControl)) })
  await expectStored(site, broken, false)
  for (const [i, value] of huge.entries()) {
    const path = `/${broken.length + i}`
    expect(await isStored(site, path), value).toBe(true)
    expect((await site.ask(path)).cacheStatus).toMatch(/^cacheback; hit; ttl=2\d{9}$/)
  }
})

scenario('DECIDE-10', 'of conflicting lifetimes the most restrictive holds', async ({ serve, clock }) => {
  const site = await serve({
    routes: listed([cacheControl('max-age=10, max-age=100'), cacheControl('max-age=100, max-age=10')]),
  })
  for (const path of ['/0', '/1']) await site.ask(path)
  clock.advance(11)
  for (const path of ['/0', '/1']) expect((await site.ask(path)).cacheStatus, path).not.toContain('hit')
})

scenario('DECIDE-11', 'Expires in the past, and what is no date, is stale', async ({ serve, clock }) => {
  const list = [{ expires: '0' }, { expires: clock.httpDate(-1) }, { expires: 'soon' }, { expires: '2031-12-31' }]
  const site = await serve({ options: { maxAge: 60 }, routes: listed(list) })
  await expectStored(site, list, false)
})

scenario('DECIDE-12', 'the Age that a response brings counts', async ({ serve, clock }) => {
  const site = await serve({ routes: { '/x': numbered({ 'cache-control': 'max-age=23', age: '4' }) } })
  expect((await site.ask('/x')).age).toBe(4)
  expect(await site.ask('/x')).toMatchObject({ age: 4, cacheStatus: hit(19) })
  clock.advance(18)
  expect(await site.ask('/x')).toMatchObject({ age: 22, cacheStatus: hit(1) })
  clock.advance(1)
  expect((await site.ask('/x')).text).toBe('render 2')
})

scenario(
  'DECIDE-13',
  'a Date in the future does not lengthen a lifetime, one in the past shortens it',
  async ({ serve, clock }) => {
    const site = await serve({
      routes: listed([
        { 'cache-control': 'max-age=10', date: clock.httpDate(1000) },
        { 'cache-control': 'max-age=100', date: clock.httpDate(-60) },
      ]),
    })
    await site.ask('/0')
    await site.ask('/1')
    expect((await site.ask('/1')).age).toBe(60)
    clock.advance(11)
    expect((await site.ask('/0')).cacheStatus).not.toContain('hit')
    clock.advance(30)
    expect((await site.ask('/1')).cacheStatus).not.toContain('hit')
  },
)

scenario('DECIDE-14', 'the time that a render takes is part of its age', async ({ serve, clock }) => {
  const site = await serve({
    routes: {
      '/x': ({ n }) => {
        clock.advance(3)
        return text(`render ${n}`, cacheControl('max-age=10'))
      },
    },
  })
  await site.ask('/x')
  expect(await site.ask('/x')).toMatchObject({ age: 3, cacheStatus: hit(7) })
})

scenario('DECIDE-15', "a response's own lifetime beats the configured one, even when it is 0", async ({ serve }) => {
  const site = await serve({ options: { maxAge: 60 }, routes: { '/x': numbered(cacheControl('max-age=0')) } })
  for (const n of [1, 2, 3]) expect((await site.ask('/x')).text).toBe(`render ${n}`)
})

scenario('DECIDE-16', "the client's own Cache-Control changes nothing", async ({ serve }) => {
  const site = await serve({ routes: { '/x': numbered(), '/private': numbered(cacheControl('private')) } })
  await site.ask('/x')
  for (const value of ['no-cache', 'no-store', 'max-age=0', 'min-fresh=99', 'only-if-cached']) {
    expect(await site.ask('/x', cacheControl(value)), value).toMatchObject({ text: 'render 1', cacheStatus: hit(10) })
  }
  expect((await site.ask('/x', { Pragma: 'no-cache' })).text).toBe('render 1')
  await site.ask('/private', cacheControl('max-stale'))
  expect((await site.ask('/private', cacheControl('max-stale=999'))).text).toBe('render 2')
})

scenario('DECIDE-17', 'headers that identify somebody bypass; the list can be replaced', async ({ serve }) => {
  const site = await serve({
    routes: { '/x': numbered(), '/own': { cacheback: { credentials: ['X-Member'] }, answer: numbered() } },
  })
  await site.ask('/x')
  for (const name of ['X-Api-Key', 'Proxy-Authorization', 'X-Forwarded-User', 'X-Auth-Token']) {
    expect((await site.ask('/x', { [name]: 'alice' })).cacheStatus, name).toBe(bypass('credential'))
  }
  await site.ask('/own')
  expect((await site.ask('/own', { 'x-member': '7' })).cacheStatus).toBe(bypass('credential'))
  expect((await site.ask('/own', { 'X-Api-Key': 'k' })).cacheStatus).toBe(hit(10))
})

scenario('DECIDE-18', 'skip sends a request to the handler, also when it throws', async ({ serve }) => {
  const site = await serve({
    options: {
      skip({ headers }) {
        if (headers['x-skip'] === 'throw') throw new Error('a broken rule')
        return headers['x-skip'] === 'yes'
      },
    },
    routes: { '/x': numbered() },
  })
  await site.ask('/x')
  for (const how of ['yes', 'throw']) {
    expect((await site.ask('/x', { 'X-Skip': how })).cacheStatus).toBe(bypass('skip'))
  }
  expect((await site.ask('/x', { 'X-Skip': 'no' })).cacheStatus).toBe(hit(10))
})

scenario('DECIDE-19', 'tags that throw, or are none, forbid storing', async ({ serve }) => {
  const site = await serve({
    routes: {
      '/throws': {
        cacheback: {
          tags: () => {
            throw new Error('no tags today')
          },
        },
        answer: numbered(),
      },
      '/odd': { cacheback: { tags: () => 'not a list' as never }, answer: numbered() },
    },
  })
  for (const path of ['/throws', '/odd']) {
    expect(await site.ask(path)).toMatchObject({ status: 200, cacheStatus: unstored('tags') })
    expect((await site.ask(path)).text).toBe('render 2')
  }
})

scenario('DECIDE-20', 'a storable response ends hit-for-miss', async ({ serve }) => {
  const site = await serve({
    routes: { '/x': ({ n }) => text(`render ${n}`, cacheControl(n < 3 ? 'no-store' : 'max-age=10')) },
  })
  for (const n of [1, 2, 3, 3, 3]) expect((await site.ask('/x')).text).toBe(`render ${n}`)
})

scenario('DECIDE-21', 'an Age that is no number counts as none, of several the first', async ({ serve }) => {
  const ages: [string, number][] = [
    ['abc', 0],
    ['-1', 0],
    ['7200.0', 0],
    ['4, 9', 4],
    [' 5 ', 5],
  ]
  const site = await serve({ routes: listed(ages.map(([age]) => ({ 'cache-control': 'max-age=60', age }))) })
  for (const [i, [age, expected]] of ages.entries()) {
    await site.ask(`/${i}`)
    expect(await site.ask(`/${i}`), age).toMatchObject({ text: `render ${i + 1}`, age: expected })
  }
})
