// Four processes behind one port, one Redis behind them: whichever answers, one of them has rendered.
import cluster from 'node:cluster'
import { setTimeout as sleep } from 'node:timers/promises'
import { createCacheback } from '@cacheback/core'
import { cachebackPlugin } from '@cacheback/fastify'
import { redisStore } from '@cacheback/redis'
import Fastify from 'fastify'

const url = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379'
const port = Number(process.env['PORT'] ?? 3000)
const count = Number(process.env['PROCESSES'] ?? 4)

if (cluster.isPrimary) lead()
else await serve()

/** Starts the processes, and tells one of them to purge when somebody at this machine wants that. */
function lead(): void {
  let listening = 0
  for (let i = 0; i < count; i++) cluster.fork()
  cluster.on('listening', (_worker, address) => {
    listening += 1
    if (listening === count) announce(address.port)
  })
  cluster.on('exit', (worker, code) => {
    if (code === 0 || worker.exitedAfterDisconnect) return
    console.log(`process ${worker.process.pid} has ended; another takes its place`)
    cluster.fork()
  })
  process.on('SIGUSR2', () => Object.values(cluster.workers ?? {})[0]?.send('purge'))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      for (const worker of Object.values(cluster.workers ?? {})) worker?.kill('SIGTERM')
      cluster.disconnect()
    })
  }
}

async function serve(): Promise<void> {
  const cache = createCacheback({ store: redisStore({ url }), staleWhileRevalidate: 60 })
  const app = Fastify()
  // Before the cache, so that it is this answer's and no part of the page.
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('X-Served-By', process.pid)
  })
  await app.register(cachebackPlugin, { cache })

  let renders = 0
  app.get('/', { config: { cacheback: { maxAge: 10, tags: () => ['page'] } } }, async () => {
    renders += 1
    await sleep(500)
    return `process ${process.pid} has rendered this, its render number ${renders}\n`
  })
  // What a process knows of the others.
  app.get('/stats', async () => ({ process: process.pid, renders, ...cache.stats().sharing }))

  process.on('message', async () => {
    const { acknowledged, missing } = await cache.purge({ tag: 'page' })
    console.log(`purged: ${acknowledged} processes have acknowledged it, ${missing} have not`)
  })
  process.once('SIGTERM', () => void app.close())
  await app.listen({ port, host: '127.0.0.1' })
}

function announce(at: number): void {
  const page = `http://127.0.0.1:${at}/`
  console.log(`${count} processes at ${page}, one Redis at ${new URL(url).host}. Ask for the page a few times:

  for i in 1 2 3 4 5 6; do curl -si ${page} | grep -iE '^(age|cache-status|x-served-by|process)'; done

X-Served-By changes, the process that has rendered does not. After ten seconds it is stale: it is served at once, and one
process of all renders the next one. What a process knows of the others:

  curl -s ${page}stats

Purge it everywhere:

  kill -USR2 ${process.pid}
`)
}
