import { createServer } from 'node:http'

import { makeCache } from '../apps/cache.ts'
import type { ServerFile } from '../server-file.ts'

export default {
  title: 'cacheback in front of plain node:http',
  kind: 'front',
  start(page) {
    const listener = makeCache(page).listener((req, res) => {
      for (const [name, value] of Object.entries(page.head)) res.setHeader(name, value)
      if (page.streamed) page.stream().pipe(res)
      else void page.render(req.url ?? '', (body) => void res.end(body))
    })
    return createServer(listener)
  },
} satisfies ServerFile
