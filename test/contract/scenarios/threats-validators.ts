import { expect } from 'vitest'
import { STALE, STORED } from '../../support/cache-status.ts'
import { cacheControl, fresh10, type Reply } from '../../support/reply.ts'
import { scenario } from '../../support/scenario.ts'
import { plain } from './http-origin.ts'

const swr = { ...cacheControl('max-age=10, stale-while-revalidate=600'), etag: '"v1"' }

scenario(
  'THREAT-06',
  'a refresh that may not be shared ends the page: the next render is asked without its ETag',
  async ({ serve, clock }) => {
    const site = await serve({
      routes: {
        '/x': [
          plain('page', swr),
          plain('mine', { ...cacheControl('private'), etag: '"mine"', 'set-cookie': 'sid=1' }),
          plain('new', swr),
        ],
      },
    })
    await site.ask('/x')
    clock.advance(11)
    expect(await site.ask('/x')).toMatchObject({ text: 'page', warning: STALE })
    const next = await site.ask('/x')
    expect(next).toMatchObject({ status: 200, text: 'new', cacheStatus: STORED })
    expect(next.headers['set-cookie']).toBeUndefined()
    expect(site.seen().map(({ headers }) => headers['if-none-match'])).toEqual([undefined, '"v1"', undefined])
  },
)

const gone: Readonly<Record<string, Reply>> = {
  '/stored': plain('gone', fresh10, 404),
  '/passed': plain('gone', {}, 404),
}

scenario(
  'THREAT-07',
  'a 404 that takes the place of a page is not validated with the ETag of the page',
  async ({ serve, clock }) => {
    const page = { ...fresh10, etag: '"v1"' }
    const site = await serve({
      routes: Object.fromEntries(
        Object.entries(gone).map(([path, reply]) => [path, [plain('page', page), reply, plain('back', page)]]),
      ),
    })
    for (const path of Object.keys(gone)) await site.ask(path)
    clock.advance(11)
    for (const path of Object.keys(gone)) expect((await site.ask(path)).status, path).toBe(404)
    clock.advance(11)
    for (const path of Object.keys(gone)) {
      expect(await site.ask(path), path).toMatchObject({ status: 200, text: 'back' })
      const asked = site.seen(path).map(({ headers }) => headers['if-none-match'])
      expect(asked, path).toEqual([undefined, '"v1"', undefined])
    }
  },
)
