// An app in a process of its own: `node redis-child.ts <port of Redis> <careful | naive | shared>`. Prints its port; ends at SIGTERM.
import { createCacheback } from '@cacheback/core'
import { cacheback } from '@cacheback/express'
import express from 'express'
import type { AddressInfo } from 'node:net'
import { careful, naive, shared } from './redis-adapters.ts'

const MAKERS = { careful, naive, shared }
const [port, settings = 'careful'] = process.argv.slice(2)
const { store } = MAKERS[settings as keyof typeof MAKERS](Number(port))
const cache = createCacheback({ store, memory: false, maxAge: 600 })
const app = express()
app.use(cacheback(cache))
app.get('/:name', (req, res) => {
  res.type('text/plain').send(`page ${req.path} `.padEnd(req.path === '/big' ? 800_000 : 100, req.path))
})
const server = app.listen(0, '127.0.0.1', () => {
  console.log((server.address() as AddressInfo).port)
})

process.once('SIGTERM', () => {
  server.close()
  server.closeAllConnections()
  void cache.close()
})
