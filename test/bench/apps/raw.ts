import type { ServerResponse } from 'node:http'

import type { Page } from '../page.ts'

/** Sends what a cache would send of the page, and does nothing else: its head is prepared, its body a string. */
export function rawAnswer({ head, bytes, body }: Page): (res: ServerResponse) => void {
  const added = { Date: new Date().toUTCString(), ETag: `"${'-'.repeat(27)}"`, 'Content-Length': String(bytes) }
  const changing = { Age: '0', 'Cache-Status': 'cacheback; hit; ttl=3599' }
  const fields = Object.entries({ ...head, ...added, ...changing }).flat()
  return (res) => {
    res.writeHead(200, 'OK', fields)
    res.end(body, 'latin1')
  }
}
