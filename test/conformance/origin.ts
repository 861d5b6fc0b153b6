import handleConfig from 'http-cache-tests/server/handle-config.mjs'
import handleState from 'http-cache-tests/server/handle-state.mjs'
import handleTest from 'http-cache-tests/server/handle-test.mjs'
import { configs, stash } from 'http-cache-tests/server/utils.mjs'
import { once } from 'node:events'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { closeServer } from '../support/server.ts'
import type { Handle } from './types.ts'

const HANDLES: Record<string, Handle> = {
  config: handleConfig,
  state: handleState,
  test: (segments, req, res) => void answerTest(segments, req, res),
}

export interface Origin {
  readonly port: number
  close(): Promise<void>
}

/**
 * The suite's origin on a free port of the loopback interface. The package's own server binds every interface at a
 * port of its configuration and writes a pid file; its handlers do the work here as there.
 */
export async function startOrigin(): Promise<Origin> {
  const server = createServer((req, res) => {
    const [, dispatch = '', ...segments] = new URL(req.url!, 'http://origin').pathname.split('/')
    const handle = HANDLES[dispatch]
    if (handle !== undefined) return handle(segments, req, res)
    res.writeHead(404).end()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      await closeServer(server)
      configs.clear()
      stash.clear()
    },
  }
}

/** What the newer tests ask for beyond the package's origin: interim responses and a late answer. */
async function answerTest(segments: string[], req: IncomingMessage, res: ServerResponse): Promise<void> {
  const wanted = configs.get(segments[0]!)?.[Number(req.headers['req-num']) - 1]
  if (wanted?.response_pause !== undefined) await pause(wanted.response_pause * 1000)
  for (const [status, fields = []] of wanted?.interim_responses ?? []) {
    if (status === 102) res.writeProcessing()
    else res.writeEarlyHints(Object.fromEntries(fields))
  }
  handleTest(segments, req, res)
}
