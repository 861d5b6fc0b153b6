import { createServer } from 'node:http'

import type { ServerFile } from '../server-file.ts'

/** The measure of all: a head and a body as a hit of ours has them, made beforehand. */
export default {
  title: 'bare node:http',
  kind: 'bare',
  start(page) {
    const body = Buffer.from(page.body)
    const head = [
      ...Object.entries(page.head).flat(),
      'Date',
      new Date().toUTCString(),
      'ETag',
      '"oTfHZxhPLx4Qx0IJFAGBPc3gkNt"',
      'Content-Length',
      String(body.length),
      'Age',
      '7',
      'Cache-Status',
      'cacheback; hit; ttl=3593',
    ]
    return createServer((_req, res) => {
      res.writeHead(200, head)
      res.end(body)
    })
  },
} satisfies ServerFile
