import { type Fields, raw, type Reply } from '../../support/reply.ts'
import type { Site } from '../../support/scenario.ts'

/** Past the framework: with these fields and no others (Express would add an ETag of its own). */
export const plain = (body: string | Buffer, headers: Fields = {}, status = 200): Reply =>
  raw((_request, response) => {
    response.writeHead(status, copyOf(headers))
    response.end(body)
  })

/** A 304 with these fields; nobody looks whether it was asked for. */
export const notModified = (headers: Fields = {}): Reply =>
  raw((_request, response) => {
    response.writeHead(304, copyOf(headers))
    response.end()
  })

/** What a render says that has validated a stored response. */
export const VALIDATED = 'cacheback; fwd=stale; fwd-status=304; stored'

/** Stale, and rendered in the foreground. */
export const RENDERED = 'cacheback; fwd=stale; stored'

const copyOf = (headers: Fields): Record<string, string | string[]> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : [...value]]),
  )

/** By path: what the second visitor of each page reads in Cache-Status. */
export async function secondVisits(site: Site, paths: readonly string[]): Promise<Record<string, string | undefined>> {
  const said: Record<string, string | undefined> = {}
  for (const path of paths) {
    const first = await site.ask(path)
    const second = await site.ask(path)
    said[path] = second.cacheStatus?.includes('hit') ? second.cacheStatus : first.cacheStatus
  }
  return said
}

/** Routes that always answer alike. */
export const routesOf = (
  pages: Readonly<Record<string, readonly [fields: Fields, status?: number]>>,
): Record<string, Reply> =>
  Object.fromEntries(
    Object.entries(pages).map(([path, [fields, status]]) => [
      path,
      plain(status === 204 ? '' : 'page', fields, status),
    ]),
  )
