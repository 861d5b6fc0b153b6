import { createCacheback } from '@cacheback/core'
import { redisStore } from '@cacheback/redis'
import { createServer } from 'node:http'
process.on('unhandledRejection', (e) => { console.log('UNHANDLED', e); process.exitCode = 3 })
const mode = process.argv[2]!
const store = redisStore({ url: mode === 'absent' ? 'redis://127.0.0.1:1' : process.argv[3]! })
const cache = createCacheback({ store, maxAge: 60 })
const server = createServer(cache.listener((_q, r) => r.end('x')))
server.listen(0, async () => {
  const port = (server.address() as any).port
  for (let i = 0; i < 5; i += 1) await (await fetch(`http://127.0.0.1:${port}/${i}`)).text()
  const p = cache.purge({ all: true }).then((r) => console.log('purge', r), (e) => console.log('purge', e.message))
  await p
  await new Promise((r) => setTimeout(r, 1700))
  server.closeAllConnections(); server.close()
  const at = performance.now()
  await cache.close()
  console.log(mode, 'closed in', Math.round(performance.now() - at))
  process.on('exit', () => console.log('exit after', Math.round(performance.now() - at)))
})
