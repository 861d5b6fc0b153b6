import { expect } from 'vitest'
import type { Description, Exchange } from '../support/app.ts'
import { type Fields, text } from '../support/reply.ts'
import { anyStore, scenario, type Stage } from '../support/scenario.ts'
import { attacks, expectHarmless, swr } from './attack.ts'
import { get, send } from './raw.ts'

// Leaks: what belongs to one visitor in the hands of another (rows 28 to 35).

const greets =
  (names: readonly string[]) =>
  ({ headers }: Exchange) => {
    const name = names.map((header) => headers[header]).find((value) => value !== undefined)
    return text(`for ${String(name ?? 'everybody')}`, swr)
  }

const CREDENTIALS = [
  'Authorization',
  'Proxy-Authorization',
  'X-Api-Key',
  'X-Auth-Token',
  'X-Access-Token',
  'X-Amz-Security-Token',
  'X-Goog-Iap-Jwt-Assertion',
  'Cf-Access-Jwt-Assertion',
  'X-Ms-Client-Principal',
  'X-Forwarded-User',
  'X-Remote-User',
  'X-Forwarded-Client-Cert',
]
const byCredential: Description = { routes: { '/x': greets(CREDENTIALS.map((name) => name.toLowerCase())) } }

scenario('LEAK-01', 'what is answered to a credential is answered to nobody else', anyStore, async (stage) => {
  const rows = attacks(
    byCredential,
    CREDENTIALS.map((name) => [`${name}, then nobody`, get('/x', `${name}: alice`)]),
  )
  const again = ['Authorization', 'X-Api-Key'].flatMap((name) => {
    const [alice, bob] = [get('/x', `${name}: alice`), get('/x', `${name}: bob`)]
    return attacks(byCredential, [
      [`${name}, then another`, alice, { clean: bob, cached: false }],
      [`nobody, then ${name}`, get('/x'), { clean: bob, cached: false }],
    ])
  })
  await expectHarmless(stage, [...rows, ...again])
})

const byCookie: Description = {
  options: { maxAge: 10 },
  routes: { '/x': ({ headers }) => text(`for ${headers.cookie}`) },
}

scenario(
  'LEAK-02',
  'a page that says nothing of caching is not shared by those with a cookie',
  anyStore,
  async (stage) => {
    const [alice, bob] = [get('/x', 'Cookie: sid=alice'), get('/x', 'Cookie: sid=bob')]
    const rows = attacks(byCookie, [
      ['alice, then nobody', alice],
      ['alice, then bob', alice, { clean: bob, cached: false }],
      ['a cookie without a value', get('/x', 'Cookie: sid')],
      ['an empty cookie', get('/x', 'Cookie:')],
    ])
    await expectHarmless(stage, rows)
  },
)

/** Every visitor has a page of his own: one after the other, later, and all at once. */
async function expectEachHisOwn(stage: Stage, app: Description, fields: Fields): Promise<void> {
  const { routes, ...rest } = app
  const hold = stage.gate()
  const site = await stage.serve({
    ...rest,
    routes: {
      ...routes,
      '/held': async ({ n }) => {
        await hold()
        return text(`page ${n}`, fields)
      },
    },
  })
  const bodies: string[] = []
  for (const seconds of [0, 0, 11, 0, 700]) {
    stage.clock.advance(seconds)
    bodies.push((await send(site, get('/x'))).text)
  }
  const visits = [1, 2, 3].map(() => site.visit('/held').done)
  await site.arrived(8)
  hold.open()
  for (const visit of visits) bodies.push(`held ${(await visit).text}`)
  expect(new Set(bodies).size, JSON.stringify(fields)).toBe(bodies.length)
  expect(site.cache.stats().memory.entries, JSON.stringify(fields)).toBe(0)
}

const BANS: Fields[] = [
  'private',
  'private=""',
  'Private, max-age=60',
  'max-age=60,PRIVATE',
  'max-age=60, private="x-a"',
  'private, private="x"',
  'no-store;x, max-age=60',
  '\tno-store\t, max-age=60',
  'max-age=60, NO-STORE',
  'max-age=60, foo="\\"", private',
].map((value) => ({ 'cache-control': value }))

const banned = (fields: Fields): Description => ({
  options: { maxAge: 60, staleWhileRevalidate: 600 },
  routes: { '/x': ({ n }) => text(`page ${n}`, fields) },
})

scenario('LEAK-03', 'a ban in any spelling keeps a page from everybody else', anyStore, async (stage) => {
  const bans: Fields[] = [
    ...BANS,
    { 'cache-control': ['max-age=60', 'private'] },
    { 'cache-control': ['no-store', 'max-age=60'] },
    { ...swr, vary: '*' },
    { ...swr, vary: 'Accept, *' },
    { ...swr, vary: 'Authorization' },
    { ...swr, vary: 'X-Api-Key' },
    { ...swr, 'set-cookie': 'sid=1' },
    { ...swr, 'set-cookie': ['a=1', 'b=2'] },
  ]
  for (const ban of bans) await expectEachHisOwn(stage, banned(ban), ban)
})

scenario('LEAK-04', 'Vary: Cookie is for nobody where cookies are not in the key', anyStore, async (stage) => {
  const app: Description = {
    options: { cookies: 'ignore' },
    routes: { '/x': ({ headers }) => text(`for ${headers.cookie}`, { ...swr, vary: 'Cookie' }) },
  }
  const [alice, bob] = [get('/x', 'Cookie: sid=alice'), get('/x', 'Cookie: sid=bob')]
  const rows = attacks(app, [
    ['alice, then bob', alice, { clean: bob, cached: false }],
    ['alice, then nobody', alice, { cached: false }],
  ])
  await expectHarmless(stage, rows)
})

scenario('LEAK-05', 'a refresh is in nobody’s name: no cookie, no token, no async context', anyStore, async (stage) => {
  const site = await stage.serve({
    options: { cookies: 'ignore' },
    routes: {
      '/x': ({ n, headers, visitor }) =>
        text(`${n} for ${[headers.cookie, headers.authorization, visitor].join()}`, {
          'cache-control': 'public, max-age=10, stale-while-revalidate=600',
        }),
    },
  })
  const alice = ['X-Visitor: alice', 'Cookie: sid=alice']
  await send(site, get('/x', ...alice))
  stage.clock.advance(11)
  await send(site, get('/x', ...alice))
  expect((await send(site, get('/x'))).text).toBe('2 for ,,')
  stage.clock.advance(11)
  // Someone with a token starts none at all: his own render is what is stored, as the page says it may be.
  await send(site, get('/x', 'X-Visitor: alice'))
  expect((await send(site, get('/x'))).text).toBe('3 for ,,')
})

scenario(
  'LEAK-06',
  'a page that turns out personal when it is refreshed ends the one that was for all',
  anyStore,
  async (stage) => {
    const turns: Fields[] = [
      { 'cache-control': 'private' },
      { 'cache-control': 'no-store' },
      { ...swr, 'set-cookie': 'sid=of-the-refresh' },
      { ...swr, vary: '*' },
    ]
    for (const turn of turns) {
      const site = await stage.serve({ routes: { '/x': ({ n }) => text(`page ${n}`, n === 1 ? swr : turn) } })
      await send(site, get('/x'))
      stage.clock.advance(11)
      expect((await send(site, get('/x'))).text).toBe('page 1')
      for (const n of [3, 4]) {
        const got = await send(site, get('/x'))
        expect(got.text).toBe(`page ${n}`)
        expect(site.cache.stats().memory.entries).toBe(0)
      }
    }
  },
)
