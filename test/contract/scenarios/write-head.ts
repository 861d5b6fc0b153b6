import type { ServerResponse } from 'node:http'
import { expect } from 'vitest'
import { hit, STORED } from '../../support/cache-status.ts'
import { raw } from '../../support/reply.ts'
import { scenario } from '../../support/scenario.ts'
import { methodsOf } from './regressions-tools.ts'
import { unchangedRaw } from './unchanged.ts'

unchangedRaw('CAP-20', 'writeHead with an object', (_req, res) => {
  res.writeHead(200, { 'Cache-Control': 'max-age=10', 'Content-Type': 'text/plain', Link: ['<a>', '<b>'] })
  res.end('raw')
})
unchangedRaw('CAP-21', 'writeHead with a reason and an object', (_req, res) => {
  res.writeHead(200, 'Quite Fine', { 'Cache-Control': 'max-age=10', 'X-Number': 7 })
  res.end('raw')
})
unchangedRaw('CAP-22', 'writeHead with a flat array and repeats', (_req, res) => {
  res.writeHead(200, ['Cache-Control', 'max-age=10', 'Link', '<a>', 'Link', '<b>', 'X-Spelled', 'As It Is'])
  res.end('raw')
})
unchangedRaw('CAP-23', 'setHeader, then writeHead with a flat array', (_req, res) => {
  res.setHeader('X-Kept', 'yes')
  res.setHeader('X-Replaced', 'old')
  res.writeHead(200, ['Cache-Control', 'max-age=10', 'X-Replaced', 'new'])
  res.end('raw')
})
unchangedRaw('CAP-24', 'setHeader, then writeHead with an object', (_req, res) => {
  res.setHeader('X-Kept', 'yes')
  res.setHeader('X-Replaced', 'old')
  res.writeHead(200, { 'Cache-Control': 'max-age=10', 'X-Replaced': 'new' })
  res.end('raw')
})
unchangedRaw('CAP-25', 'no writeHead at all', (_req, res) => {
  res.setHeader('Cache-Control', 'max-age=10')
  res.appendHeader('Link', '<a>')
  res.appendHeader('Link', '<b>')
  res.statusMessage = 'Implicit'
  res.end('raw')
})
unchangedRaw('CAP-26', 'writes in every form: string, encoding, bytes, callback', async (_req, res) => {
  res.setHeader('Cache-Control', 'max-age=10')
  await new Promise((resolve) => res.write('é', 'latin1', resolve))
  await new Promise((resolve) => res.write('6869', 'hex', resolve))
  await new Promise((resolve) => res.write(new Uint8Array([0, 255, 10]), resolve))
  res.write('')
  await new Promise<void>((resolve) => res.end('eA==', 'base64', resolve))
})
// Long enough to be made bytes before they go to Node.
unchangedRaw('CAP-61', 'a long text in one end, of which Node counts the bytes', (_req, res) => {
  res.setHeader('Cache-Control', 'max-age=10')
  res.end('é€'.repeat(10_000))
})
unchangedRaw('CAP-62', 'long texts in every encoding, each with its callback', async (_req, res) => {
  res.setHeader('Cache-Control', 'max-age=10')
  for (const encoding of ['latin1', 'utf8', 'utf16le', 'ascii'] as const) {
    await new Promise((resolve) => res.write('é€a'.repeat(5000), encoding, resolve))
  }
  await new Promise((resolve) => res.write('00ff'.repeat(5000), 'hex', resolve))
  await new Promise((resolve) => res.write('é'.repeat(9000), resolve))
  await new Promise<void>((resolve) => res.end('eHh4'.repeat(3000), 'base64', resolve))
})

/** As on-headers does it. */
function setLate(res: ServerResponse): void {
  const methods = methodsOf(res)
  const writeHead = methods.writeHead.bind(res)
  methods.writeHead = (...args) => {
    res.setHeader('X-Name', 'é')
    return writeHead(...args)
  }
}

scenario('CAP-63', 'a field beyond ASCII beside a long text: the bytes that Node would send', async ({ serve }) => {
  const answer = raw((req, res) => {
    res.setHeader('Cache-Control', 'max-age=10')
    if (req.url?.includes('written')) res.writeHead(200, { 'X-Name': 'é' })
    else if (req.url?.includes('late')) setLate(res)
    else res.setHeader('X-Name', 'é')
    res.end('a'.repeat(20_000))
  })
  const bare = { cacheback: false, answer } as const
  const paths = ['/set', '/written', '/late']
  const routes = paths.flatMap((path) => [
    [path, answer],
    [`/bare${path}`, bare],
  ])
  const site = await serve({
    routes: Object.fromEntries(routes) as Readonly<Record<string, typeof answer | typeof bare>>,
  })
  for (const path of paths) {
    const without = await site.ask(`/bare${path}`)
    expect([path, (await site.ask(path)).headers['x-name']]).toEqual([path, without.headers['x-name']])
  }
})
unchangedRaw('CAP-27', 'the head first, by flushHeaders', (_req, res) => {
  res.setHeader('Cache-Control', 'max-age=10')
  res.flushHeaders()
  res.end('raw')
})
unchangedRaw('CAP-28', 'writeHead, then an end without a body', (_req, res) => {
  res.writeHead(200, { 'Cache-Control': 'max-age=10', 'Content-Length': 0 }).end()
})
unchangedRaw('CAP-29', 'corked writes', (_req, res) => {
  res.writeHead(200, { 'Cache-Control': 'max-age=10' })
  res.cork()
  res.write('one')
  res.write('two')
  res.uncork()
  res.end(() => undefined)
})

scenario('CAP-30', 'writeHead with an array of pairs', async ({ serve }) => {
  const pairs = [
    ['Cache-Control', 'max-age=10'],
    ['Link', '<a>'],
    ['Link', '<b>'],
  ]
  const site = await serve({
    // Node's own rule: pairs are for a response on which nothing has been set before.
    before: { express: (app) => app.disable('x-powered-by') },
    routes: { '/x': raw((_req, res) => res.writeHead(200, pairs as never).end('raw')) },
  })
  const page = { status: 200, text: 'raw', headers: { link: '<a>, <b>' } }
  expect(await site.ask('/x')).toMatchObject({ ...page, cacheStatus: STORED })
  expect(await site.ask('/x')).toMatchObject({ ...page, cacheStatus: hit(10) })
})

unchangedRaw('CAP-51', 'an end, and then another', (_req, res) => {
  res.setHeader('Cache-Control', 'max-age=10')
  res.end('raw')
  res.end()
})
