import { expect } from 'vitest'
import { hit } from '../../support/cache-status.ts'
import { cacheControl } from '../../support/reply.ts'
import { scenario } from '../../support/scenario.ts'
import { plain } from './http-origin.ts'

const MAX = cacheControl('max-age=100')

scenario('AGE-01', 'an Age that comes with a response counts in every form that is one', async ({ serve }) => {
  const forms: Record<string, number> = {
    '30': 30,
    '0030': 30,
    '30, 5': 30,
    '30;x=1': 30,
    '0': 0,
    '7200.0': 0,
    abc: 0,
    '-1': 0,
    '+30': 0,
    '1e1': 0,
    '': 0,
    '30 5': 0,
    ', 30': 0,
  }
  const paths = Object.keys(forms).map((_, i) => `/${i}`)
  const site = await serve({
    routes: Object.fromEntries(Object.keys(forms).map((age, i) => [`/${i}`, plain('page', { ...MAX, age })])),
  })
  for (const path of paths) await site.ask(path)
  for (const [i, [form, age]] of Object.entries(forms).entries()) {
    expect(await site.ask(`/${i}`), JSON.stringify(form)).toMatchObject({ age, cacheStatus: hit(100 - age) })
  }
})

scenario('AGE-02', 'of several lines the first counts; ages beyond any lifetime are stale', async ({ serve }) => {
  const site = await serve({
    routes: {
      '/lines': plain('page', { ...MAX, age: ['30', '5'] }),
      '/equal': plain('page', { ...MAX, age: '100', etag: '"v1"' }),
      '/huge': plain('page', { ...cacheControl('max-age=99999999999'), age: '2147483648' }),
      '/endless': plain('page', { ...MAX, age: '9'.repeat(400) }),
    },
  })
  for (const path of ['/lines', '/equal', '/huge', '/endless']) await site.ask(path)
  expect((await site.ask('/lines')).age).toBe(30)
  for (const path of ['/equal', '/huge', '/endless']) {
    expect((await site.ask(path)).cacheStatus, path).not.toContain('hit')
  }
})

scenario('AGE-03', 'the time that a render takes counts into the age, beside the Age that came', async (stage) => {
  const { serve, clock, gate } = stage
  const hold = gate()
  const site = await serve({
    routes: {
      '/x': async () => {
        await hold()
        return plain('page', { ...MAX, age: '3' })
      },
    },
  })
  const first = site.visit('/x').done
  await hold.reached()
  clock.advance(2)
  hold.open()
  await first
  await site.cache.idle()
  expect(await site.ask('/x')).toMatchObject({ age: 5, cacheStatus: hit(95) })
})

scenario(
  'AGE-04',
  'a Date in the past is age that nobody told; the larger of the two counts',
  async ({ serve, clock }) => {
    const date = clock.httpDate(-40)
    const site = await serve({
      routes: {
        '/date': plain('page', { ...MAX, date }),
        '/both': plain('page', { ...MAX, date, age: '60' }),
        '/less': plain('page', { ...MAX, date, age: '10' }),
      },
    })
    for (const path of ['/date', '/both', '/less']) await site.ask(path)
    expect(await site.ask('/date')).toMatchObject({ age: 40, cacheStatus: hit(60), headers: { date } })
    expect(await site.ask('/both')).toMatchObject({ age: 60, cacheStatus: hit(40) })
    expect(await site.ask('/less')).toMatchObject({ age: 40, cacheStatus: hit(60) })
  },
)

scenario('AGE-05', 'a Date in the future is no age, and Expires counts from it', async ({ serve, clock }) => {
  const date = clock.httpDate(1000)
  const site = await serve({
    routes: {
      '/max-age': plain('page', { ...MAX, date }),
      '/expires': plain('page', { date, expires: clock.httpDate(1100) }),
      '/expired': plain('page', { date, expires: clock.httpDate(900) }),
    },
  })
  for (const path of ['/max-age', '/expires', '/expired']) await site.ask(path)
  expect(await site.ask('/max-age')).toMatchObject({ age: 0, cacheStatus: hit(100), headers: { date } })
  expect(await site.ask('/expires')).toMatchObject({ age: 0, cacheStatus: hit(100), headers: { date } })
  expect((await site.ask('/expired')).cacheStatus).toBe('cacheback; fwd=uri-miss; detail=expired')
})

scenario('AGE-06', 'with a slow origin clock Expires − Date is the lifetime, and the lag is age', async (stage) => {
  const { serve, clock } = stage
  const site = await serve({
    routes: {
      '/alive': plain('page', { date: clock.httpDate(-30), expires: clock.httpDate(70) }),
      '/over': plain('page', { date: clock.httpDate(-100), expires: clock.httpDate(-10) }),
    },
  })
  for (const path of ['/alive', '/over']) await site.ask(path)
  expect(await site.ask('/alive')).toMatchObject({ age: 30, cacheStatus: hit(70) })
  expect((await site.ask('/over')).cacheStatus).toBe('cacheback; fwd=uri-miss; detail=expired')
})

scenario('AGE-07', 'Age is whole seconds, and never negative when the clock goes back a little', async (stage) => {
  const { serve, clock } = stage
  const site = await serve({ routes: { '/x': plain('page', MAX) } })
  await site.ask('/x')
  clock.now += 1999
  expect(await site.ask('/x')).toMatchObject({ age: 1, headers: { age: '1' } })
  clock.now -= 2500
  expect(await site.ask('/x')).toMatchObject({ age: 0, headers: { age: '0' } })
})
