import { type AddressInfo, connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { HOST } from '../support/client.ts'
import { expressFramework } from '../support/express.ts'
import { fastify } from '../support/fastify.ts'
import { koa } from '../support/koa.ts'
import { playAll, type Site } from '../support/scenario.ts'

/** Plays the scenarios of a file on every framework, over the stores that each of them names. */
export function playOnAll(): void {
  for (const framework of [fastify, expressFramework, koa]) playAll(framework)
}

/** Rejects if something takes longer than it may, so that a visitor who is held up does not hold up the test as well. */
export async function within<T>(seconds: number, what: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`took more than ${seconds} s`)), seconds * 1000)
  try {
    return await Promise.race([what, promise])
  } finally {
    clearTimeout(timer)
  }
}

/** A visitor on a connection of his own, who reads as many bytes as he is told to. */
export interface SlowReader {
  readonly socket: Socket
  /** Waits for this many bytes, and takes no more. */
  read: (bytes: number) => Promise<string>
  /** Reads on until the other side has closed. */
  readAll: () => Promise<number>
}

export function slowReader(site: Site, path: string, fields = ''): SlowReader {
  const { port } = site.server.address() as AddressInfo
  const socket = connect({ port, host: '127.0.0.1' })
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => undefined)
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n${fields}\r\n`)
  const read = async (bytes: number): Promise<string> => {
    for (;;) {
      const chunk = socket.read(bytes) as Buffer | null
      if (chunk !== null) return chunk.toString('latin1')
      await new Promise((resolve) => socket.once('readable', resolve))
    }
  }
  const readAll = (): Promise<number> => {
    const { promise, resolve } = Promise.withResolvers<number>()
    let bytes = 0
    socket.on('data', (chunk) => {
      bytes += chunk.length
    })
    socket.once('close', () => resolve(bytes))
    socket.resume()
    return promise
  }
  return { socket, read, readAll }
}

/** How many connections a server has. */
export function connections({ server }: Site): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)))
  })
}
