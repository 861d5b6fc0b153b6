import { expect } from 'vitest'
import { hit } from '../../support/cache-status.ts'
import { type Fields, fresh10 } from '../../support/reply.ts'
import { scenario, type Site } from '../../support/scenario.ts'
import { plain } from './http-origin.ts'

const inGroups =
  (groups: string | readonly string[]) =>
  ({ n }: { n: number }) =>
    plain(`render ${n}`, { ...fresh10, 'cache-groups': groups })

const acts = (fields: Fields, status = 200) => ({ methods: ['POST'], answer: plain('done', fields, status) })

async function kept(site: Site, paths: readonly string[], headers: Fields = {}): Promise<string[]> {
  const still: string[] = []
  for (const path of paths) if ((await site.ask(path, headers)).cacheStatus === hit(10)) still.push(path)
  return still
}

const routes = {
  '/a': inGroups('"one", "two"'),
  '/b': inGroups(['"two"', '"three";x=1']),
  '/c': inGroups('"ONE"'),
  '/d': inGroups('one, two'),
  '/e': inGroups('"one'),
}
const all = Object.keys(routes)

scenario('GROUP-01', 'an unsafe request invalidates the groups that its answer names', async ({ serve }) => {
  const site = await serve({
    routes: {
      ...routes,
      '/one': acts({ 'cache-group-invalidation': '"one"' }),
      '/two': acts({ 'cache-group-invalidation': ['"none"', '"two";x'] }, 303),
      '/three': acts({ 'cache-group-invalidation': '"three"' }, 201),
    },
  })
  for (const [path, gone] of [
    ['/one', ['/a']],
    ['/two', ['/a', '/b']],
    ['/three', ['/b']],
  ] as const) {
    await kept(site, all)
    await site.ask(`POST ${path}`)
    expect(await kept(site, all), path).toEqual(all.filter((page) => !(gone as readonly string[]).includes(page)))
  }
})

scenario('GROUP-02', 'it counts on successful unsafe requests alone', async ({ serve }) => {
  const field = { 'cache-group-invalidation': '"one"' }
  const site = await serve({
    routes: {
      ...routes,
      '/get': plain('page', { ...fresh10, ...field }),
      '/uncached': plain('page', field),
      '/failed': acts(field, 500),
      '/tokens': acts({ 'cache-group-invalidation': 'one, two' }),
      '/broken': acts({ 'cache-group-invalidation': '"one' }),
    },
  })
  await kept(site, all)
  for (const request of [
    '/get',
    '/get',
    'HEAD /uncached',
    '/uncached',
    'POST /failed',
    'POST /tokens',
    'POST /broken',
  ]) {
    await site.ask(request)
  }
  expect(await kept(site, all)).toEqual(all)
})

scenario('GROUP-03', 'a group is one of its origin', async ({ serve }) => {
  const site = await serve({ routes: { ...routes, '/one': acts({ 'cache-group-invalidation': '"one"' }) } })
  const other = { Host: 'other.test' }
  await kept(site, all)
  await kept(site, all, other)
  await site.ask('POST /one')
  expect(await kept(site, all)).toEqual(all.filter((path) => path !== '/a'))
  expect(await kept(site, all, other)).toEqual(all)
})

scenario(
  'GROUP-04',
  'one invalidation of a group does not cascade, and fences renders under way',
  async ({ serve, gate }) => {
    const hold = gate()
    const site = await serve({
      routes: {
        '/slow': async ({ n }) => {
          if (n === 1) await hold()
          return plain(`render ${n}`, { ...fresh10, 'cache-groups': '"one"' })
        },
        '/cascade': plain('page', { ...fresh10, 'cache-groups': '"one", "two"' }),
        '/b': routes['/b'],
        '/one': acts({ 'cache-group-invalidation': '"one"' }),
      },
    })
    await kept(site, ['/b', '/cascade'])
    const slow = site.visit('/slow').done
    await hold.reached()
    await site.visit('POST /one').done
    hold.open()
    await slow
    await site.cache.idle()
    expect(await kept(site, ['/b', '/cascade', '/slow'])).toEqual(['/b'])
  },
)

scenario('GROUP-05', 'a purge by tag reaches a group as well', async ({ serve }) => {
  const site = await serve({ routes })
  await kept(site, all)
  await site.cache.purge({ tag: 'two' })
  expect(await kept(site, all)).toEqual(['/c', '/d', '/e'])
})

scenario('GROUP-06', 'invalidateOnUnsafe: false turns groups off, too', async ({ serve }) => {
  const site = await serve({
    options: { invalidateOnUnsafe: false },
    routes: { ...routes, '/one': acts({ 'cache-group-invalidation': '"one"' }) },
  })
  await kept(site, all)
  await site.ask('POST /one')
  expect(await kept(site, all)).toEqual(all)
})
