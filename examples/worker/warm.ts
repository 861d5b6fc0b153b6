import { app, cache } from './app.ts'

await app.ready()
const host = process.env['HOST'] ?? 'localhost:3000'
const pages = [1, 2, 3].map((id) => `http://${host}/articles/${id}`)
const { stored, failed } = await cache.warm(pages, {
  concurrency: 2,
  onProgress: ({ done, total }) => console.log(`${done} of ${total}`),
})
console.log(`${stored} stored`, failed)
await app.close()
