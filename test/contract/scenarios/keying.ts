import { expect } from 'vitest'
import type { Exchange } from '../../support/app.ts'
import { bypass, hit, numbered, STORED } from '../../support/cache-status.ts'
import { fresh10, text, type Fields } from '../../support/reply.ts'
import { scenario, type Site } from '../../support/scenario.ts'

/** Every request has a response of its own, and gets that one again. */
async function expectApart(site: Site, requests: readonly (readonly [request: string, headers?: Fields])[]) {
  const first: string[] = []
  for (const [request, headers] of requests) first.push((await site.ask(request, headers)).text)
  expect(new Set(first).size).toBe(requests.length)
  const again: string[] = []
  for (const [request, headers] of requests) again.push((await site.ask(request, headers)).text)
  expect(again).toEqual(first)
  expect(site.renders()).toBe(requests.length)
}

const echoUrl = { '*': ({ n, url }: Exchange) => text(`${n} ${url}`, fresh10) }

scenario('KEY-01', 'the Host is part of the key, byte for byte', async ({ serve }) => {
  const site = await serve({ routes: { '/x': numbered() } })
  const hosts = ['a.test', 'b.test', 'a.test:8080', 'A.test', 'a.test.']
  await expectApart(
    site,
    hosts.map((Host) => ['/x', { Host }]),
  )
})

scenario('KEY-02', 'paths are compared as raw bytes', async ({ serve }) => {
  const site = await serve({ routes: echoUrl })
  await expectApart(site, [
    ['/a/b'],
    ['/a%2Fb'],
    ['/a%2fb'],
    ['/a//b'],
    ['/a/b/'],
    ['/A/b'],
    ['/a/%62'],
    ['/a/b;v=1'],
    ['/a/./b'],
    ['/a/c/../b'],
    ['/a/c/%2e%2e/b'],
    ['/a/b?'],
    ['/a%5Cb'],
    ['/a/b%00'],
  ])
  expect(site.seen().map(({ url }) => url)).toContain('/a/c/%2e%2e/b')
})

scenario('KEY-03', 'the query is compared as raw bytes', async ({ serve }) => {
  const site = await serve({ routes: echoUrl })
  await expectApart(site, [
    ['/x'],
    ['/x?'],
    ['/x?a'],
    ['/x?a='],
    ['/x?a=1&b=2'],
    ['/x?b=2&a=1'],
    ['/x?a=1&a=2'],
    ['/x?a=2&a=1'],
    ['/x?a[]=1'],
    ['/x?%61=1'],
    ['/x?a=1'],
    ['/x?a=%ff'],
    ['/x?a=%fe'],
    ['/x?a=1;b=2'],
    ['/x?a=1%26b=2'],
    ['/x?a=+'],
    ['/x?a=%20'],
    ['/x??a=1'],
    ['/x?__proto__=1'],
    ['/x?constructor=1'],
  ])
})

scenario('KEY-04', 'parts of a key cannot flow into each other', async ({ serve }) => {
  const site = await serve({ options: { vary: ['x-a', 'x-b'], query: ['a', 'b'] }, routes: echoUrl })
  await expectApart(site, [
    ['/x', { 'X-A': 'x|y', 'X-B': 'z' }],
    ['/x', { 'X-A': 'x', 'X-B': 'y|z' }],
    ['/x', { 'X-A': 'x,x-b:y' }],
    ['/x', { 'X-A': 'x', 'X-B': 'y' }],
    ['/x', { 'X-A': 'xy' }],
    ['/x', { 'X-B': 'xy' }],
    ['/x?a=1', { 'X-A': '' }],
    ['/x?a=1&b='],
    ['/x?a=1'],
    ['/x?b=1'],
    ['/x?a=1%26b=1'],
    ['/x?a=1&b=1'],
  ])
})

scenario(
  'KEY-05',
  'only the named query parameters are in the key, in any order; the handler sees no other',
  async ({ serve }) => {
    const site = await serve({
      options: { query: ['page', 'size'] },
      routes: { '/x': ({ n, query }) => text(`${n} ${JSON.stringify(query)}`, fresh10) },
    })
    const first = await site.ask('/x?utm_source=evil&page=2&size=5')
    expect(first).toMatchObject({ text: '1 {"page":"2","size":"5"}', cacheStatus: STORED })
    expect(site.seen()[0]!.url).not.toContain('utm')
    expect(await site.ask('/x?size=5&page=2&utm_source=other')).toMatchObject({
      text: first.text,
      cacheStatus: hit(10),
    })
    expect(await site.ask('/x?page=2&size=5')).toMatchObject({ text: first.text })
    expect((await site.ask('/x?page=3&size=5')).text).toBe('2 {"page":"3","size":"5"}')
    expect((await site.ask('/x?page=')).text).toContain('3 ')
    expect((await site.ask('/x')).text).toBe('4 {}')
    expect((await site.ask('/x?utm_source=x')).text).toBe('4 {}')
  },
)

scenario('KEY-06', 'the order of one repeated parameter counts', async ({ serve }) => {
  const site = await serve({ options: { query: ['a'] }, routes: { '/x': numbered() } })
  await expectApart(site, [['/x?a=1&a=2'], ['/x?a=2&a=1'], ['/x?a=1'], ['/x?a'], ['/x?a=']])
})

scenario('KEY-07', 'no spelling of a parameter reaches a handler without being in the key', async ({ serve }) => {
  const site = await serve({
    options: { query: ['page'] },
    routes: { '/x': ({ query }) => text(JSON.stringify(query), fresh10) },
  })
  const tricks = ['/x?%70age=9', '/x?utm=1;page=9', '/x?page[]=9', '/x?PAGE=9', '/x?utm=1%26page=9', '/x?pag%65=9']
  for (const trick of tricks) {
    const cold = (await site.ask(trick)).text
    const plain = (await site.ask('/x')).text
    expect(plain, trick).toBe('{}')
    // Either it was hidden, or it has a key of its own.
    if (cold !== '{}') expect((await site.ask(trick)).text, trick).toBe(cold)
  }
})

scenario('KEY-08', 'ignored query parameters share a response and are hidden from the handler', async ({ serve }) => {
  const site = await serve({
    options: { query: { ignore: ['utm_source', 'fbclid'] } },
    routes: { '/x': ({ n, url }) => text(`${n} ${url}`, fresh10) },
  })
  expect((await site.ask('/x?id=1&utm_source=evil')).text).toBe('1 /x?id=1')
  expect((await site.ask('/x?fbclid=abc&id=1')).text).toBe('1 /x?id=1')
  expect((await site.ask('/x?id=1')).text).toBe('1 /x?id=1')
  expect((await site.ask('/x?id=2')).text).toBe('2 /x?id=2')
})

scenario('KEY-09', 'without a query in the key the handler sees none', async ({ serve }) => {
  const site = await serve({
    options: { query: false },
    routes: { '/x': ({ n, query }) => text(`${n} ${JSON.stringify(query)}`, fresh10) },
  })
  expect((await site.ask('/x?q=evil')).text).toBe('1 {}')
  expect((await site.ask('/x')).text).toBe('1 {}')
  expect((await site.ask('/x?q=2&r=3')).text).toBe('1 {}')
})

scenario('KEY-10', 'the fields by which an app knows its own origin are part of the key', async ({ serve }) => {
  const fields = [
    'X-Forwarded-Host',
    'X-Forwarded-Proto',
    'X-Forwarded-Port',
    'X-Forwarded-Prefix',
    'X-Forwarded-Scheme',
    'X-Forwarded-Ssl',
    'X-Original-Host',
  ]
  const site = await serve({
    routes: {
      '/x': ({ n, headers }) => text(`${n} ${fields.map((name) => headers[name.toLowerCase()]).join('|')}`, fresh10),
    },
  })
  await expectApart(site, [['/x'], ...fields.map((name) => ['/x', { [name]: 'evil' }] as const)])
})

scenario('KEY-11', 'of Forwarded only host and proto are part of the key', async ({ serve }) => {
  const site = await serve({ routes: { '/x': numbered() } })
  expect((await site.ask('/x', { Forwarded: 'for=192.0.2.7;host=a.test;proto=https' })).text).toBe('render 1')
  expect((await site.ask('/x', { Forwarded: 'for=192.0.2.8;host=a.test;proto=https' })).text).toBe('render 1')
  expect((await site.ask('/x', { Forwarded: 'host=b.test;proto=https' })).text).toBe('render 2')
  expect((await site.ask('/x', { Forwarded: 'host=a.test;proto=http' })).text).toBe('render 3')
  expect((await site.ask('/x')).text).toBe('render 4')
})

scenario('KEY-12', 'a request that overrides its URL or method bypasses', async ({ serve }) => {
  const site = await serve({ routes: { '/x': numbered() } })
  for (const name of ['X-Original-URL', 'X-Rewrite-URL', 'X-HTTP-Method-Override']) {
    expect(await site.ask('/x', { [name]: '/admin' })).toMatchObject({ cacheStatus: bypass('override') })
  }
  expect(await site.ask('/x')).toMatchObject({ text: 'render 4', cacheStatus: STORED })
})

scenario('KEY-13', 'two Host lines and absolute-form targets bypass', async ({ serve }) => {
  const site = await serve({ routes: { '*': numbered() } })
  const two = await site.ask('/x', { Host: ['good.test', 'evil.test'] })
  // Node may refuse it before anybody sees it.
  if (two.status === 200) expect(two.cacheStatus).toBe(bypass('host'))
  const absolute = await site.ask('GET http://evil.test/x', { Host: 'good.test' })
  if (absolute.status === 200) expect(absolute.cacheStatus).toBe(bypass('target'))
  expect((await site.ask('/x', { Host: 'good.test' })).cacheStatus).toBe(STORED)
})

scenario('KEY-14', 'a raw # never shares a response with the URL before it', async ({ serve }) => {
  const site = await serve({ routes: { '*': numbered() } })
  const odd = await site.ask('/p#x')
  const plain = await site.ask('/p')
  expect(plain.text).not.toBe(odd.text)
  expect((await site.ask('/p')).text).toBe(plain.text)
})

scenario('KEY-15', 'URLs over 8 KiB bypass', async ({ serve }) => {
  const site = await serve({ routes: { '/x': numbered() } })
  expect((await site.ask(`/x?q=${'a'.repeat(8200)}`)).cacheStatus).toBe(bypass('url-length'))
  expect((await site.ask(`/x?q=${'a'.repeat(8000)}`)).cacheStatus).toBe(STORED)
})

scenario('KEY-16', 'the store key is readable, escaped, and shown only where asked for', async ({ serve }) => {
  const site = await serve({
    options: { name: 'shop', version: 'v7', cacheStatus: { key: true } },
    routes: { '*': numbered() },
  })
  const got = await site.ask('/articles/1%22;x?page=2')
  const key = /key="([^"]*)"/.exec(got.cacheStatus ?? '')?.[1]
  expect(key).toMatch(/^shop:v7:example\.test\/articles\/1[^~ ]*~[\w-]{16,}$/)
  expect((await site.cache.inspect('http://example.test/articles/1%22;x?page=2'))?.key).toBe(key)
  const long = await site.ask(`/${'long/'.repeat(200)}`)
  expect(/key="([^"~]*)~/.exec(long.cacheStatus ?? '')![1]!.length).toBeLessThanOrEqual(200)
})
