import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'

import { Demo, get } from './demo.ts'
import type { Seen } from './demo.ts'

// Longer than a first render on a busy machine: the time of a render counts into a response's age.
const MAX_AGE = 12

const status = ({ headers }: Seen): string => String(headers['cache-status'])
const rendered = ({ headers }: Seen): unknown => headers['x-rendered']
const renderMs = (seen: Seen): number => Number(/in (\d+) ms/.exec(String(rendered(seen)))?.[1])

// The three wait for their pages to expire at the same time; within one, tests would slow each other's renders down.
const inTurn = { concurrent: false }

describe.concurrent.each(['fastify', 'express', 'koa'])('the demo on %s', (framework) => {
  let demo: Demo

  beforeAll(async () => {
    demo = new Demo(framework, { PORT: '0', DEMO_MAX_AGE: String(MAX_AGE) })
    await demo.listening()
  })

  afterAll(async () => {
    await demo.stop()
  })

  async function follow(step: number): Promise<Seen[]> {
    const seen: Seen[] = []
    for (const command of demo.commands(step)) seen.push(await demo.follow(command))
    return seen
  }

  async function followOne(step: number): Promise<Seen> {
    const [seen] = await follow(step)
    if (seen === undefined) throw new Error(`Nothing is printed for step ${step}`)
    return seen
  }

  test('what it prints is what happens', { ...inTurn, timeout: 60_000 }, async () => {
    const miss = await followOne(1)
    expect(miss.status).toBe(200)
    expect(status(miss)).toBe('cacheback; fwd=uri-miss; stored')
    expect(miss.headers.age).toBeUndefined()

    const hit = await followOne(2)
    expect(status(hit)).toMatch(/^cacheback; hit; ttl=\d/)
    expect(hit.headers).toMatchObject({ age: expect.stringMatching(/^\d+$/), 'x-rendered': rendered(miss) })
    expect(hit.headers.warning).toBeUndefined()
    expect(hit.body).toBe(miss.body)

    const stale = await followOne(3)
    expect(status(stale)).toMatch(/^cacheback; hit; ttl=-\d/)
    expect(stale.headers.warning).toContain('110')
    expect(rendered(stale)).toBe(rendered(miss))
    expect(stale.waited).toBeLessThan(renderMs(miss) / 2)

    // A busy machine may need more than the printed second.
    const fresh = await vi.waitFor(
      async () => {
        const seen = await followOne(4)
        expect(rendered(seen)).not.toBe(rendered(miss))
        return seen
      },
      { timeout: 20_000 },
    )
    expect(status(fresh)).toMatch(/^cacheback; hit; ttl=\d/)
    expect(fresh.headers.warning).toBeUndefined()
    expect(demo.printed).toMatch(/^refresh .*\/packages\//m)
  })

  test('a signal purges', inTurn, async () => {
    const [kill, again = ''] = demo.commands(9)
    await demo.follow(again)
    expect(status(await demo.follow(again))).toContain('; hit;')
    expect(kill).toBe(`kill -USR2 ${demo.child.pid}`)
    demo.child.kill('SIGUSR2')
    await vi.waitFor(() => expect(demo.printed).toMatch(/^purge /m))
    expect(status(await demo.follow(again))).toBe('cacheback; fwd=uri-miss; stored')
  })

  test('JSON is cached', inTurn, async () => {
    const miss = await followOne(5)
    expect(miss.headers['content-type']).toBe('application/json; charset=utf-8')
    expect(JSON.parse(miss.body)).toMatchObject({
      name: 'fastify',
      license: 'MIT',
      sizes: { files: expect.any(Number) },
    })
    const hit = await followOne(5)
    expect(status(hit)).toContain('; hit;')
    expect(hit.body).toBe(miss.body)
  })

  test('a search is kept once for each language, whatever else is in the query', inTurn, async () => {
    const [english, german] = await follow(6)
    expect(status(english!)).toContain('fwd=uri-miss')
    expect(status(german!)).toContain('fwd=vary-miss')
    expect([english, german].map((seen) => seen?.headers['content-language'])).toEqual(['en', 'de'])
    for (const again of await follow(6)) expect(status(again)).toContain('; hit;')
    const reordered = await followOne(7)
    expect(status(reordered)).toContain('; hit;')
    expect(reordered.body).toBe(english?.body)
  })

  test('a private page is never cached', inTurn, async () => {
    for (let visit = 0; visit < 2; visit++) {
      const [ada, nobody] = await follow(8)
      expect(ada?.body).toContain('Hello, Ada')
      expect(status(ada!)).toBe('cacheback; fwd=bypass; detail=cookie')
      expect(nobody?.body).toContain('Hello, whoever you are')
      expect(status(nobody!)).toMatch(/^cacheback; fwd=uri-miss; detail=(?:private|hit-for-miss)$/)
      expect(ada?.headers['cache-control']).toBe('private')
    }
  })

  test('its pages are there, an unknown package is not', inTurn, async () => {
    expect((await get(`${demo.url}/`)).body).toContain('href="/packages/@keyv/redis"')
    expect((await get(`${demo.url}/packages/@keyv/redis`)).body).toContain('<h1')
    expect((await get(`${demo.url}/packages/@keyv%2Fredis`)).status).toBe(200)
    for (const name of ['nobody-has-this', '..%2F..%2F..%2Fpackage.json', '__proto__', 'marked%2F..%2Fmarked']) {
      const missing = await get(`${demo.url}/packages/${name}`)
      expect(missing.status).toBe(404)
      expect(status(missing)).not.toContain('stored')
    }
  })

  test('a port that is taken is said, and ends it', inTurn, async () => {
    const port = new URL(demo.url).port
    const second = new Demo(framework, { PORT: port })
    await second.exit
    expect(second.errors).toContain(`Port ${port} is taken`)
    expect(second.child.exitCode).toBe(1)
  })

  test('SIGTERM ends it, and it has had nothing to complain about', inTurn, async () => {
    expect(await demo.stop()).toBe(0)
    expect(demo.errors).toBe('')
  })
})
