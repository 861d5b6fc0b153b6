import { Readable } from 'node:stream'
import { expect } from 'vitest'
import type { Native } from '../../support/app.ts'
import type { Gate } from '../../support/gate.ts'
import { fresh10, raw, stream } from '../../support/reply.ts'
import { anyStore, scenario } from '../../support/scenario.ts'
import { patient } from './regressions-tools.ts'

/** An async hook outside the cache, which holds one visitor up. */
const heldOutside = (hold: Gate, left: Gate, passed: Gate): Native => ({
  fastify(app) {
    app.addHook('onRequest', async ({ raw: req }, { raw: res }) => {
      if (req.headers['x-held'] === undefined) return
      res.once('close', () => void left())
      await hold()
      void passed()
    })
  },
  express(app) {
    app.use(async (req, res, next) => {
      if (req.headers['x-held'] !== undefined) {
        res.once('close', () => void left())
        await hold()
        void passed()
      }
      next()
    })
  },
  koa(app) {
    app.use(async ({ req, res }, next) => {
      if (req.headers['x-held'] !== undefined) {
        res.once('close', () => void left())
        await hold()
        void passed()
      }
      await next()
    })
  },
})

const page = (): Readable => Readable.from(['pa', 'ge'])

for (const [id, headers] of [
  ['REG-40', {}],
  ['REG-41', { Cookie: 'a=1' }],
] as const) {
  scenario(
    id,
    `a visitor ${id === 'REG-40' ? '' : 'with a hidden Cookie '}leaves before he comes to the cache: nobody waits for him`,
    anyStore,
    async ({ serve, gate }) => {
      const [hold, left, passed] = [gate(), gate(), gate()]
      const site = await serve({
        options: { cookies: 'ignore', ...patient },
        before: heldOutside(hold, left, passed),
        routes: {
          '/x': () => stream(page, fresh10),
          '/piped': raw((_req, res) => {
            res.statusCode = 200
            res.setHeader('Cache-Control', 'max-age=10')
            page().pipe(res)
          }),
        },
      })
      const paths = ['/x', '/piped']
      const gone = paths.map((path) => site.visit(path, { ...headers, 'X-Held': '1' }))
      await hold.reached(2)
      for (const { abort } of gone) abort()
      await left.reached(2)
      hold.open()
      await passed.reached(2)
      for (const path of [...paths, ...paths]) {
        expect(await site.ask(path, headers)).toMatchObject({ status: 200, text: 'page', complete: true })
      }
      expect(site.cache.stats().capturing).toBe(0)
    },
  )
}
