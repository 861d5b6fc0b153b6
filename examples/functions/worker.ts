import { openCache } from './cache.ts'
import { cachedSearch } from './search.ts'

// It wraps the same functions, and waits for jobs: REDIS_URL=redis://localhost:6379 node worker.ts
const cache = await openCache()
cachedSearch(cache, Number(process.env['DEMO_MAX_AGE'] ?? 5))
cache.on('refresh', ({ key, durationMs }) => console.log('refreshed', key, `${durationMs! | 0} ms`))
cache.work()
console.log('working')

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void cache.close())
