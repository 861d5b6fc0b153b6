import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { FrameworkName, Native } from '../../support/app.ts'
import { hit, STORED } from '../../support/cache-status.ts'
import { FILES } from '../../support/files.ts'
import { scenario } from '../../support/scenario.ts'

const page = join(FILES, 'page.txt')
const webStream = (): ReadableStream =>
  new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('web '))
      controller.enqueue(new TextEncoder().encode('stream'))
      controller.close()
    },
  })

/** What only one framework can answer with. */
const ways: Native = {
  fastify(app) {
    app.get('/own/returned', () => ({ returned: true }))
    app.get('/own/async', async () => 'returned later')
    app.get('/own/response', () => new Response('web response', { headers: { 'x-web': 'yes' } }))
    app.get('/own/web-stream', (_request, reply) => reply.type('text/plain').send(webStream()))
    app.get('/own/read-stream', (_request, reply) => reply.type('text/plain').send(createReadStream(page)))
    app.get('/own/typed', (_request, reply) => reply.send(new Uint8Array([1, 0, 255])))
    app.get('/own/serialized', { schema: { response: { 200: { type: 'object', properties: {} } } } }, () => ({
      gone: 1,
    }))
  },
  express(app) {
    app.get('/own/jsonp', (_req, res) => void res.jsonp({ jsonp: true }))
    app.get('/own/status', (_req, res) => void res.sendStatus(200))
    app.get('/own/download', (_req, res) => res.download(page, 'name.txt'))
    app.get('/own/pipe', (_req, res) => void createReadStream(page).pipe(res))
    app.get(
      '/own/format',
      (_req, res) => void res.format({ text: () => res.send('plain'), html: () => res.send('<p>') }),
    )
    app.get('/own/links', (_req, res) => void res.links({ next: '/2' }).attachment('a.txt').send('linked'))
  },
  koa(_app, router) {
    router.get('/own/blob', (ctx) => void (ctx.body = new Blob(['a blob'])))
    router.get(
      '/own/response',
      (ctx) => void (ctx.body = new Response('web response', { headers: { 'x-web': 'yes' } })),
    )
    router.get('/own/web-stream', (ctx) => void (ctx.body = webStream()))
    router.get('/own/read-stream', (ctx) => void (ctx.body = createReadStream(page)))
    router.get('/own/object', (ctx) => void (ctx.body = { object: [1, 'ü'] }))
    router.get('/own/attachment', (ctx) => {
      ctx.attachment('a.txt')
      ctx.body = Buffer.from('attached')
    })
  },
}

const paths: Record<FrameworkName, readonly string[]> = {
  fastify: ['returned', 'async', 'response', 'web-stream', 'read-stream', 'typed', 'serialized'],
  express: ['jsonp', 'status', 'download', 'pipe', 'format', 'links'],
  koa: ['blob', 'response', 'web-stream', 'read-stream', 'object', 'attachment'],
}

scenario('CAP-60', 'what only one framework can answer with is stored as it went out', async ({ serve, framework }) => {
  const site = await serve({ options: { maxAge: 10 }, extra: ways, routes: {} })
  for (const name of paths[framework.name]) {
    const path = `/own/${name}`
    const miss = await site.ask(path)
    expect(miss, name).toMatchObject({ status: 200, complete: true })
    expect(miss.body.length, name).toBeGreaterThan(0)
    // res.download has a Cache-Control of its own.
    if (name === 'download') continue
    expect(miss.cacheStatus, name).toBe(STORED)
    const again = await site.ask(path)
    expect(again, name).toMatchObject({ status: 200, complete: true, cacheStatus: hit(10) })
    expect(again.body.equals(miss.body), name).toBe(true)
    for (const field of ['content-type', 'content-disposition', 'link', 'x-web']) {
      expect(again.headers[field], `${name} ${field}`).toBe(miss.headers[field])
    }
  }
})
