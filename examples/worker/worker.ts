import { app, cache } from './app.ts'

// It listens nowhere: pages are rendered through the app in process.
await app.ready()
cache.on('refresh', ({ key, durationMs }) => console.log('refreshed', key, durationMs))
cache.work({ concurrency: 4 })
console.log('working')
