import { expect } from 'vitest'
import { cacheControl, text } from '../support/reply.ts'
import { scenario, sharedStore } from '../support/scenario.ts'
import { swr } from './attack.ts'
import { forge, FORGERIES, open } from './frames.ts'
import { get, send } from './raw.ts'
import { makeShelf, serveFrom } from './shelf.ts'

// What is stored is not trusted: whatever somebody else has written into the store is a miss (rows 37 and 56 to 63).

scenario('ENTRY-01', 'whatever is wrong with an entry, it is a miss, and the page is rendered', async (stage) => {
  const shelf = await makeShelf(stage)
  const { site, keys } = await serveFrom(stage, shelf.store)
  const [a, b] = [await send(site, get('/a')), await send(site, get('/b'))]
  const [key, otherKey] = keys as [string, string]
  const [frame, other] = [await shelf.read(key), await shelf.read(otherKey)]
  for (const [title, make, isForeign] of FORGERIES) {
    await shelf.write(key, make(frame, other))
    const before = site.renders()
    const got = await send(site, get('/a'))
    expect(got, title).toMatchObject({
      status: 200,
      text: 'page a',
      headers: { 'content-type': a.headers['content-type'] },
    })
    expect(got.cacheStatus, title).not.toContain('hit')
    expect(got.bytes, title).not.toMatch(/evil/i)
    expect(site.renders(), title).toBe(before + 1)
    const next = await send(site, get('/a'))
    expect(next, title).toMatchObject({ status: 200, text: 'page a' })
    // What is rendered takes the place of what was forged, unless the store has lied about whose it is.
    if (!isForeign) expect(next.cacheStatus, title).toContain('hit')
    expect((await send(site, get('/b'))).text, title).toBe(b.text)
  }
  expect({}).not.toHaveProperty('status')
})

scenario('ENTRY-02', 'entries that have changed places are misses, variants too', async (stage) => {
  const shelf = await makeShelf(stage)
  const { site, keys } = await serveFrom(stage, shelf.store, {
    '/in': ({ headers }) => text(`page in ${String(headers['accept-language'])}`, { ...swr, vary: 'Accept-Language' }),
    '*': ({ url }) => text(`page of ${url}`, swr),
  })
  const requests = [
    get('/a'),
    get('/b'),
    get('/a?x=1'),
    get('/in', 'Accept-Language: de'),
    get('/in', 'Accept-Language: en'),
  ]
  const expected: string[] = []
  for (const request of requests) expected.push((await send(site, request)).text)
  expect(keys.length).toBe(requests.length)
  const places = [...keys]
  const frames = await Promise.all(places.map((key) => shelf.read(key)))
  for (let by = 1; by < places.length; by++) {
    for (const [i, key] of places.entries()) await shelf.write(key, frames[(i + by) % places.length]!)
    for (const [i, request] of requests.entries()) expect((await send(site, request)).text).toBe(expected[i])
  }
})

scenario('ENTRY-03', 'an entry of another version is a miss, and is left alone', async (stage) => {
  const shelf = await makeShelf(stage)
  let isStorable = true
  const { site, keys } = await serveFrom(stage, shelf.store, {
    '/x': ({ n }) => text(`render ${n}`, isStorable ? swr : cacheControl('no-store')),
  })
  await send(site, get('/x'))
  const [key] = keys as [string]
  const { head, body } = open(await shelf.read(key))
  const newer = forge({ ...head, kind: 'response', v: 2 }, body, 'cbk2')
  // Where it would be if the versions did not keep their keys apart; and where it is.
  const elsewhere = key.replace(/~.*/, '~of-another-version')
  for (const place of [key, elsewhere]) await shelf.write(place, newer)
  isStorable = false
  expect((await send(site, get('/x'))).text).toBe('render 2')
  await site.cache.purge({ tag: 'nothing' })
  expect(await shelf.read(key)).toEqual(newer)
  isStorable = true
  stage.clock.advance(200)
  await send(site, get('/x'))
  expect((await send(site, get('/x'))).cacheStatus).toContain('hit')
  await site.cache.purge({ all: true })
  await send(site, get('/x'))
  expect(await shelf.read(elsewhere)).toEqual(newer)
})

scenario('ENTRY-04', 'an entry that never expires in the store is as old as it says', sharedStore, async (stage) => {
  const shelf = await makeShelf(stage)
  const { site, keys } = await serveFrom(stage, shelf.store)
  await send(site, get('/a'))
  const [key] = keys as [string]
  const frame = await shelf.read(key)
  // From a clock that is wrong: nobody knows how old it is, so it is not fresh.
  const { head, body } = open(frame)
  const at = stage.clock.now + 3_600_000
  const freshness = { bornAt: at, freshUntil: at + 10_000, staleUntil: at + 600_000, errorUntil: at }
  await shelf.write(key, forge({ ...head, receivedAt: at, freshness }, body))
  expect((await send(site, get('/a'))).headers['warning']).toContain('110')
  const asOld = async (seconds: number) => {
    await shelf.write(key, frame)
    stage.clock.now += seconds * 1000
    const { headers, cacheStatus } = await send(site, get('/a'))
    return cacheStatus.includes('hit') ? headers['age'] : 'not used'
  }
  expect(await asOld(4)).toBe('4')
  expect(await asOld(7)).toBe('11')
  expect(await asOld(1000)).toBe('not used')
})

scenario('ENTRY-05', 'an entry larger than anything that is stored is no hit', async (stage) => {
  const shelf = await makeShelf(stage)
  const { site, keys } = await serveFrom(stage, shelf.store)
  await send(site, get('/a'))
  const [key] = keys as [string]
  const frame = await shelf.read(key)
  const huge = Buffer.alloc(4 * 1024 * 1024, 'a')
  for (const [title, forged] of [
    ['junk', huge],
    ['a frame', forge({ ...open(frame).head, bodyBytes: huge.length }, huge)],
    ['a head', forge({ ...open(frame).head, junk: huge.toString('latin1', 0, 2_000_000) }, open(frame).body)],
  ] as const) {
    await shelf.write(key, forged)
    const got = await send(site, get('/a'))
    expect([got.status, got.text.slice(0, 20)], title).toEqual([200, 'page a'])
  }
})
