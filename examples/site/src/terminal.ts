import type { AddressInfo } from 'node:net'

import { guide } from './guide.ts'
import type { Settings } from './settings.ts'
import type { Site } from './site.ts'

interface CacheEvent {
  readonly key: string
  readonly durationMs?: number | undefined
}

/** What the terminal needs of a cache. */
interface ObservedCache {
  on(event: 'refresh' | 'refresh-failed' | 'purge', listener: (event: CacheEvent) => void): unknown
}

/** Prints what to try, and from then on what the cache does behind the visitors' backs. */
export function announce(
  framework: string,
  address: AddressInfo | string | null,
  cache: ObservedCache,
  { catalogue }: Site,
  settings: Settings,
): void {
  const port = typeof address === 'object' ? address?.port : settings.port
  console.log(guide({ ...settings, framework, url: `http://${settings.host}:${port}`, catalogue }))
  for (const event of ['refresh', 'refresh-failed', 'purge'] as const) {
    cache.on(event, ({ key, durationMs }) => {
      console.log(durationMs === undefined ? `${event} ${key}` : `${event} ${key} in ${durationMs.toFixed(0)} ms`)
    })
  }
}

/** Why the demo does not listen, in a sentence. */
export function explainListenError(error: unknown, { port }: Settings): void {
  const taken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
  console.error(taken ? `Port ${port} is taken. Try another one: PORT=${port + 1} pnpm start` : error)
  process.exitCode = 1
}

/** Calls `close` once when somebody asks the process to end; a second signal ends it at once. */
export function onShutdown(close: () => void): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, close)
}
