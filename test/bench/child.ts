// One server in a process of its own: node child.ts <file of servers/> <page settings as JSON>
import type { AddressInfo } from 'node:net'

import { type PageSettings, makePage } from './page.ts'
import type { ServerFile } from './server-file.ts'

/** What the parent asks, and what it is told. */
export interface Answers {
  /** Renders so far, in all and by URL. */
  renders: { total: number; byUrl: [url: string, times: number][] }
  /** Bytes of the heap and of buffers, after a full collection. */
  memory: number
}

export type Told = { port: number } | { failed: string } | { answer: unknown }

const [file = '', settings = '{}'] = process.argv.slice(2)
const page = makePage(JSON.parse(settings) as PageSettings)

process.on('message', (question: keyof Answers) => {
  if (question === 'memory') tell({ answer: collectedBytes() })
  else tell({ answer: { total: page.renders.total, byUrl: [...page.renders.byUrl] } })
})
process.on('disconnect', () => process.exit())
process.on('SIGTERM', () => process.exit())

try {
  const server = (await import(`./servers/${file}.ts`)) as { default: ServerFile }
  tell({ port: await portOf(await server.default.start(page)) })
} catch (error) {
  tell({ failed: error instanceof Error ? error.message : String(error) })
}

function tell(message: Told): void {
  process.send?.(message)
}

async function portOf(started: Awaited<ReturnType<ServerFile['start']>>): Promise<number> {
  if (typeof started === 'number') return started
  // Stopped processes must not find their connections too old when they go on.
  started.keepAliveTimeout = 600_000
  await new Promise<void>((resolve) => started.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve))
  return (started.address() as AddressInfo).port
}

function collectedBytes(): number {
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
