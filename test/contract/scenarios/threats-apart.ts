import { expect } from 'vitest'
import { hit } from '../../support/cache-status.ts'
import { cacheControl, type Fields, fresh10, text } from '../../support/reply.ts'
import { anyStore, scenario } from '../../support/scenario.ts'
import { FakeStore } from '../../support/stores.ts'
import { patient } from './regressions-tools.ts'

scenario(
  'THREAT-08',
  'those who have waited long enough are all answered, and the leader who hung replaces nothing newer',
  async ({ serve, gate }) => {
    const hold = gate()
    const site = await serve({
      options: { collapse: { waitMs: 30 } },
      routes: {
        '/x': async ({ n }) => {
          if (n === 1) await hold()
          return text(`render ${n}`, fresh10)
        },
      },
    })
    const leader = site.visit('/x').done
    await hold.reached()
    for (const got of await Promise.all(site.crowd(4, '/x'))) {
      expect(got).toMatchObject({ status: 200, complete: true })
      expect(got.text).toMatch(/^render [2-5]$/)
    }
    await site.cache.idle()
    const stored = await site.ask('/x')
    expect(stored).toMatchObject({ cacheStatus: hit(10) })
    const renders = site.renders()
    hold.open()
    expect((await leader).text).toBe('render 1')
    await site.cache.idle()
    expect(await site.ask('/x')).toMatchObject({ text: stored.text, cacheStatus: hit(10) })
    expect(site.renders()).toBe(renders)
  },
)

/** Each the other with its parts cut, joined or left out otherwise. */
const confusable: readonly Fields[] = [
  { 'X-A': 'x|y', 'X-B': 'z' },
  { 'X-A': 'x', 'X-B': 'y|z' },
  { 'X-A': 'x' },
  { 'X-A': 'x', 'X-B': '' },
  { 'X-B': 'x' },
  { 'X-A': '', 'X-B': 'x' },
  { 'X-A': '1:x', 'X-B': 'y' },
  { 'X-A': '1', 'X-B': 'x:y' },
  { 'X-A': 'null' },
  { 'X-A': '-', 'X-B': '-' },
  { 'X-A': 'xy' },
  { 'X-A': 'x', 'X-B': 'y' },
]

for (const [id, how, options] of [
  ['THREAT-09', 'the option vary names', { vary: ['x-a', 'x-b'] }],
  ['THREAT-10', 'a Vary has named', {}],
] as const) {
  scenario(
    id,
    `nobody waits for the render of other values, however alike they look put together: headers that ${how}`,
    async ({ serve, gate }) => {
      const hold = gate()
      const site = await serve({
        options: { ...options, ...patient },
        routes: {
          '/x': async ({ n, headers }) => {
            if (n > 1) await hold()
            return text(JSON.stringify([headers['x-a'], headers['x-b']]), { ...fresh10, vary: 'X-A, X-B' })
          },
        },
      })
      await site.ask('/x', { 'X-A': 'first' })
      const visits = confusable.map((headers) => site.visit('/x', headers).done)
      // One that waited for another would never come here.
      await hold.reached(confusable.length)
      hold.open()
      for (const [i, got] of (await Promise.all(visits)).entries()) {
        expect(got.text).toBe(JSON.stringify([confusable[i]!['X-A'], confusable[i]!['X-B']]))
      }
    },
  )
}

scenario(
  'THREAT-11',
  'the entry of one variant under the key of another, or of their list, is a miss',
  anyStore,
  async ({ serve }) => {
    const store = new FakeStore()
    const site = await serve({
      options: { store, memory: false },
      routes: {
        '/x': ({ headers }) =>
          text(`in ${headers['accept-language']}`, { ...cacheControl('max-age=100'), vary: 'Accept-Language' }),
      },
    })
    const languages = ['de', 'en']
    const askAll = async (): Promise<void> => {
      for (const language of languages) {
        expect((await site.ask('/x', { 'Accept-Language': language })).text).toBe(`in ${language}`)
      }
    }
    await askAll()
    const keys = [...store.frames.keys()].filter((key) => key.includes('/x'))
    expect(keys).toHaveLength(3)
    const frames = keys.map((key) => store.frames.get(key)!)
    // Every way to put them where they do not belong, two and two under one key included.
    for (let way = 0; way < 27; way++) {
      for (const [i, key] of keys.entries()) store.frames.set(key, frames[Math.floor(way / 3 ** i) % 3]!)
      await askAll()
    }
  },
)

scenario('THREAT-12', 'one variant alone can be purged, by a tag of its own', async ({ serve }) => {
  const site = await serve({
    routes: {
      '/x': ({ n, headers }) => {
        const language = String(headers['accept-language'])
        const fields = { ...fresh10, vary: 'Accept-Language', 'cache-tag': `page, ${language}` }
        return text(`${n} ${language}`, fields)
      },
    },
  })
  const ask = async (language: string) => site.ask('/x', { 'Accept-Language': language })
  for (const language of ['de', 'en', 'fr']) await ask(language)
  await site.cache.purge({ tag: 'de' })
  for (const [language, body] of [
    ['en', '2 en'],
    ['de', '4 de'],
    ['fr', '3 fr'],
  ] as const) {
    expect((await ask(language)).text).toBe(body)
  }
  await site.cache.purge({ tag: 'page' })
  for (const language of ['de', 'en', 'fr']) expect((await ask(language)).cacheStatus).not.toContain('hit')
})
