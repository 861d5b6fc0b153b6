import { expect } from 'vitest'
import type { Description, Exchange } from '../support/app.ts'
import { text } from '../support/reply.ts'
import { anyStore, scenario, type Site, type Stage } from '../support/scenario.ts'
import { dress, swr } from './attack.ts'
import { CLOSE, get, lines, send } from './raw.ts'

// What the cache renders itself: the bytes of the visitor's request, and nobody's address (rows 13 and 14).

const TARGETS = [
  '/public/%2e%2e/internal',
  '/public/../internal',
  '/a/./b/',
  '//x//y',
  '/a;b=c;d',
  '/x;jsessionid=1?a;b',
  '/x?',
  '/x??',
  '/?',
  '/x?a=b?',
  '/x?b=2&a=%ff&&',
  '/x?a[]="<>`{}|^\\',
  '/%70age',
  '/%2f%2F',
  '/a%00b',
  '/a\\b',
  '/x#y',
]

const tells = ({ url, origin, headers }: Exchange) =>
  text(JSON.stringify({ url, origin, host: headers.host, forwarded: headers['x-forwarded-host'] }), swr)

/** Every render of a target has its bytes, in the refresh and in the fill that hides a cookie. */
async function expectSameBytes(
  stage: Stage,
  app: Omit<Description, 'routes'>,
  fields: readonly string[],
): Promise<void> {
  const site = await stage.serve({ ...app, options: { cookies: 'ignore' }, routes: { '*': tells } })
  for (const target of TARGETS) {
    const visitor = lines(`GET ${target} HTTP/1.1`, [CLOSE, ...fields])
    const hiding = lines(`GET ${target} HTTP/1.1`, [CLOSE, ...fields, 'Cookie: a=1'])
    const before = site.seen().length
    const first = await send(site, visitor)
    stage.clock.advance(11)
    const stale = await send(site, visitor)
    const refreshed = await send(site, visitor)
    stage.clock.advance(700)
    const detached = await send(site, hiding)
    for (const { text: body } of [stale, refreshed, detached]) expect(body, target).toBe(first.text)
    const [visit, ...own] = site.seen().slice(before)
    expect(own.length, target).toBe(2)
    for (const { url, headers, origin, remoteAddress, ip } of own) {
      expect({ url, host: headers.host, origin }).toEqual({
        url: target,
        host: visit!.headers.host,
        origin: visit!.origin,
      })
      expect([target, ip, headers['cookie']]).toEqual([target, '192.0.2.1', undefined])
      if (app.trustProxy !== true) expect(remoteAddress).toBe('192.0.2.1')
      else expect(headers['x-forwarded-for']).toBe('192.0.2.1')
    }
  }
}

scenario(
  'POISON-13',
  'the cache renders the very bytes of the URL, for the Host of the visitor',
  anyStore,
  async (stage) => {
    await expectSameBytes(stage, {}, ['Host: EXAMPLE.test:8080'])
  },
)

scenario('POISON-14', 'so it does behind a trusted proxy, for the forwarded origin', anyStore, async (stage) => {
  await expectSameBytes(stage, { trustProxy: true }, [
    'Host: inner.test',
    'X-Forwarded-For: 203.0.113.9',
    'X-Forwarded-Host: shop.test',
    'X-Forwarded-Proto: https',
  ])
})

const TRUSTED = /^(?:127\.|10\.|192\.168\.|::1$|::ffff:127\.)/
const inside = text('internal figures', swr)

/** Shows more to an address that it trusts. */
const forAddress = ({ ip }: Exchange) => (TRUSTED.test(ip ?? '') ? inside : text('figures for everybody', swr))

/** A visitor from outside, cold, behind a refresh and behind a fill of the cache's own. */
async function expectOutside(stage: Stage, site: Site, fields: readonly string[]): Promise<void> {
  for (const cookie of [[], ['Cookie: a=1']]) {
    for (const seconds of [0, 11, 0, 700]) {
      stage.clock.advance(seconds)
      expect((await send(site, get('/x', ...fields, ...cookie))).text).toBe('figures for everybody')
    }
  }
}

scenario('POISON-15', 'no render of the cache comes from an address that an app trusts', anyStore, async (stage) => {
  for (const sealed of [false, true]) {
    const options = { sealed, cookies: 'ignore' } as const
    const site = await stage.serve({ options, routes: { '/x': forAddress } })
    dress(site, { remoteAddress: '203.0.113.9' })
    await expectOutside(stage, site, [])
    // He may say what he likes: the app does not believe him, and neither does it a render that was made for him.
    await expectOutside(stage, site, ['X-Forwarded-For: 127.0.0.1', 'X-Forwarded-Host: example.test'])

    const proxied = await stage.serve({ trustProxy: true, options, routes: { '/x': forAddress } })
    dress(proxied, { remoteAddress: '10.0.0.1' })
    await expectOutside(stage, proxied, ['X-Forwarded-For: 203.0.113.9', 'X-Forwarded-Proto: https'])
  }
})
