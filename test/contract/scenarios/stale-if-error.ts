import { Readable } from 'node:stream'
import { expect } from 'vitest'
import { STALE_AFTER_FAILURE } from '../../support/cache-status.ts'
import { cacheControl, fail, raw, stream, text, type Reply } from '../../support/reply.ts'
import { scenario } from '../../support/scenario.ts'

const sie = { ...cacheControl('max-age=10, stale-if-error=60'), 'x-page': 'yes' }
const error = { 'x-error': 'yes', 'content-language': 'error' }
const callbacks: string[] = []

const failures: Record<string, [title: string, status: number, reply: Reply]> = {
  'ERROR-01': ['a handler that throws', 500, fail()],
  'ERROR-02': ['a status', 503, text('the whole error page, longer than the page', error, 503)],
  'ERROR-03': ['a streamed error', 502, stream(() => Readable.from(['a long ', 'streamed ', 'error']), error, 502)],
  'ERROR-04': [
    'a hijacked reply',
    504,
    raw((_req, res) => {
      res.writeHead(504, { ...error, 'Content-Length': '9' })
      res.write('some', () => void callbacks.push('write'))
      res.end('thing', () => void callbacks.push('end'))
    }),
  ],
  'ERROR-05': [
    'an implicit head',
    500,
    raw((_req, res) => {
      res.statusCode = 500
      res.setHeader('X-Error', 'yes')
      res.end('oops')
    }),
  ],
}

for (const [id, [title, status, reply]] of Object.entries(failures)) {
  scenario(id, `the stored page stands in for ${title}`, async ({ serve, clock }) => {
    callbacks.length = 0
    const site = await serve({ routes: { '/x': ({ n }) => (n === 2 ? reply : text(`render ${n}`, sie)) } })
    await site.ask('/x')
    clock.advance(15)
    const got = await site.ask('/x')
    expect(got).toMatchObject({
      status: 200,
      text: 'render 1',
      complete: true,
      age: 15,
      warning: STALE_AFTER_FAILURE,
      cacheStatus: `cacheback; fwd=stale; fwd-status=${status}; detail=stale-if-error`,
      headers: { 'content-length': '8', 'x-page': 'yes' },
    })
    // Nothing of the error shows.
    for (const name of ['x-error', 'content-language', 'content-security-policy']) {
      expect(got.headers[name], name).toBeUndefined()
    }
    if (id === 'ERROR-04') expect(callbacks).toEqual(['write', 'end'])
    expect((await site.ask('/x')).text).toBe('render 3')
  })
}

scenario('ERROR-06', 'without a stored page the error passes', async ({ serve }) => {
  const site = await serve({ options: { staleIfError: 60 }, routes: { '/x': text('busy', error, 503) } })
  expect(await site.ask('/x')).toMatchObject({ status: 503, text: 'busy', headers: error })
})

scenario('ERROR-07', 'after the window the error passes', async ({ serve, clock }) => {
  const site = await serve({ routes: { '/x': [text('page', sie), text('busy', error, 503)] } })
  await site.ask('/x')
  clock.advance(71)
  expect(await site.ask('/x')).toMatchObject({ status: 503, text: 'busy', headers: error })
})

scenario(
  'ERROR-08',
  'a success renders in the foreground: this window alone serves nothing stale',
  async ({ serve, clock }) => {
    const site = await serve({ routes: { '/x': [text('one', sie), text('two', sie)] } })
    await site.ask('/x')
    clock.advance(11)
    expect(await site.ask('/x')).toMatchObject({
      text: 'two',
      warning: undefined,
      cacheStatus: 'cacheback; fwd=stale; stored',
    })
  },
)

scenario('ERROR-09', 'the option opens the window where the response is silent', async ({ serve, clock }) => {
  const fresh = cacheControl('max-age=10')
  const site = await serve({
    options: { staleIfError: 60 },
    routes: {
      '/silent': [text('page', fresh), fail()],
      '/shared': [text('page', cacheControl('s-maxage=10')), fail()],
      '/explicit': [text('page', cacheControl('s-maxage=10, stale-if-error=60')), fail()],
      '/never': [text('page', cacheControl('max-age=10, must-revalidate')), fail()],
      '/zero': [text('page', cacheControl('max-age=10, stale-if-error=0')), fail()],
    },
  })
  const statuses: Record<string, number> = {}
  const paths = ['/silent', '/shared', '/explicit', '/never', '/zero']
  for (const path of paths) await site.ask(path)
  clock.advance(11)
  for (const path of paths) statuses[path] = (await site.ask(path)).status
  expect(statuses).toEqual({ '/silent': 200, '/shared': 500, '/explicit': 200, '/never': 500, '/zero': 500 })
})

scenario('ERROR-10', 'the window is that of the stored page, not of the error', async ({ serve, clock }) => {
  const generous = cacheControl('max-age=60, stale-if-error=600, stale-while-revalidate=600')
  const site = await serve({
    routes: { '/x': [text('page', cacheControl('max-age=10')), text('busy', { ...error, ...generous }, 503)] },
  })
  await site.ask('/x')
  clock.advance(11)
  expect((await site.ask('/x')).status).toBe(503)
})

scenario('ERROR-11', 'a 404 is an answer, not an error', async ({ serve, clock }) => {
  const site = await serve({ routes: { '/x': [text('page', sie), text('not here', {}, 404)] } })
  await site.ask('/x')
  clock.advance(11)
  expect(await site.ask('/x')).toMatchObject({ status: 404, text: 'not here' })
})

scenario('ERROR-12', 'a HEAD gets the stored head', async ({ serve, clock }) => {
  const site = await serve({ routes: { '/x': [text('page', sie), fail()] } })
  await site.ask('/x')
  clock.advance(11)
  const head = await site.ask('HEAD /x')
  expect(head).toMatchObject({ status: 200, text: '', complete: true, warning: STALE_AFTER_FAILURE })
  expect(head.headers['content-length']).toBe('4')
})

scenario('ERROR-13', 'a condition of the visitor holds against the page that stands in', async ({ serve, clock }) => {
  const site = await serve({ routes: { '/x': [text('page', { ...sie, etag: '"v1"' }), fail()] } })
  await site.ask('/x')
  clock.advance(11)
  expect(await site.ask('/x', { 'If-None-Match': '"v1"' })).toMatchObject({ status: 304, text: '', complete: true })
})

scenario('ERROR-14', 'those who waited for the failing render get the page too', async ({ serve, clock, gate }) => {
  const hold = gate()
  const site = await serve({
    routes: {
      '/x': async ({ n }) => {
        if (n === 1) return text('page', sie)
        await hold()
        return fail()
      },
    },
  })
  await site.ask('/x')
  clock.advance(11)
  const visits = site.crowd(5, '/x')
  await site.arrived(6)
  hold.open()
  for (const got of await Promise.all(visits)) expect(got).toMatchObject({ status: 200, text: 'page' })
})

scenario('ERROR-15', 'a render over renderTimeoutMs: the stored page, or 504', async ({ serve, clock, gate }) => {
  const hold = gate()
  const site = await serve({
    options: { renderTimeoutMs: 40 },
    routes: {
      '/x': async ({ n }) => {
        if (n > 1) await hold()
        return text(`render ${n}`, sie)
      },
      '/cold': async ({ n }) => {
        if (n === 1) await hold()
        return text(`render ${n}`, sie)
      },
    },
  })
  await site.ask('/x')
  clock.advance(15)
  expect(await site.visit('/x').done).toMatchObject({
    status: 200,
    text: 'render 1',
    complete: true,
    age: 15,
    warning: STALE_AFTER_FAILURE,
  })
  expect(await site.visit('/cold').done).toMatchObject({ status: 504, complete: true })
  hold.open()
  await site.cache.idle()
  // A 504 is nobody's page.
  expect((await site.ask('/cold')).status).toBe(200)
})

scenario('ERROR-16', 'a failing refresh inside both windows leaves the page to both', async ({ serve, clock }) => {
  const both = cacheControl('max-age=10, stale-while-revalidate=10, stale-if-error=60')
  const site = await serve({ routes: { '/x': ({ n }) => (n === 1 ? text('page', both) : fail()) } })
  await site.ask('/x')
  clock.advance(11)
  await site.ask('/x')
  expect(await site.ask('/x')).toMatchObject({ status: 200, text: 'page', warning: STALE_AFTER_FAILURE })
  clock.advance(20)
  expect(await site.ask('/x')).toMatchObject({
    status: 200,
    text: 'page',
    cacheStatus: 'cacheback; fwd=stale; fwd-status=500; detail=stale-if-error',
  })
  clock.advance(60)
  expect((await site.ask('/x')).status).toBe(500)
})

scenario(
  'ERROR-17',
  'whose window ends while the render fails stands in for nobody',
  async ({ serve, clock, gate }) => {
    const hold = gate()
    const site = await serve({
      routes: {
        '/x': async ({ n }) => {
          if (n === 1) return text('page', sie)
          await hold()
          return text('busy', error, 503)
        },
      },
    })
    await site.ask('/x')
    clock.advance(15)
    const visits = site.crowd(3, '/x')
    await site.arrived(4)
    clock.advance(56)
    hold.open()
    for (const got of await Promise.all(visits)) expect(got).toMatchObject({ status: 503, text: 'busy' })
  },
)
