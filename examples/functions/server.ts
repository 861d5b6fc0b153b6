import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import { openCache } from './cache.ts'
import { cachedSearch } from './search.ts'

// A small page over a slow function. Stale answers are given at once; the next one is made behind: in this process, or by
// worker.ts where REDIS_URL says how to reach it.
const cache = await openCache()
const search = cachedSearch(cache, Number(process.env['DEMO_MAX_AGE'] ?? 5))
for (const event of ['refresh', 'refresh-sent', 'refresh-failed', 'purge'] as const) {
  cache.on(event, ({ key, durationMs }) =>
    console.log(event, key, durationMs === undefined ? '' : `${durationMs | 0} ms`),
  )
}

const server = createServer((request, response) => {
  void answer(new URL(request.url ?? '/', 'http://localhost').searchParams.get('q') ?? '')
    .then((page) => response.setHeader('Content-Type', 'text/html; charset=utf-8').end(page))
    .catch(() => response.writeHead(500).end())
})

async function answer(question: string): Promise<string> {
  const startedAt = performance.now()
  const { matches, searchedAt, tookMs, status } = await search(question.slice(0, 50))
  const waitedMs = Math.round(performance.now() - startedAt)
  const items = matches.map(({ code, name }) => `<li>${escape(name)}: <code>${escape(code)}</code></li>`)
  return `<!doctype html>
<title>Languages</title>
<form><input name="q" value="${escape(question)}" placeholder="klingen"> <button>Which language?</button></form>
<p>${status}: searched at ${searchedAt.toISOString()} in ${tookMs} ms; you have waited ${waitedMs} ms.</p>
<ol>${items.join('')}</ol>
`
}

const escape = (text: string): string => text.replaceAll(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)

process.on('SIGUSR2', () => void cache.purge({ tag: 'languages' }))
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => server.close(() => void cache.close()).closeAllConnections())
}

server.listen(Number(process.env['PORT'] ?? 3000), () => {
  const url = `http://localhost:${(server.address() as AddressInfo).port}`
  console.log(`Languages at ${url}\n`)
  console.log(`curl '${url}/?q=klingen'   once: miss; again: hit; after five seconds: stale, and then a new one`)
  console.log(`kill -USR2 ${process.pid}   purges: the next one is a miss`)
})
