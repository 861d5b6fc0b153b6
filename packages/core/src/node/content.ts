import type { IncomingMessage } from 'node:http'

/**
 * Reads the content of a request whose length is declared, and puts it back, so that the handler finds it where it was.
 * Resolves with undefined where it does not arrive whole.
 */
export function readContent(req: IncomingMessage): Promise<Buffer | undefined> {
  const length = Number(req.headers['content-length'] ?? 0)
  if (length === 0) return Promise.resolve(EMPTY)
  // Something before the cache has read it, or the client is gone: it will not come again.
  if (req.readableDidRead || req.readableEnded || req.destroyed) return Promise.resolve(undefined)
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const stop = (content: Buffer | undefined): void => {
      req.off('readable', read)
      req.off('close', abandon)
      resolve(content)
    }
    const abandon = (): void => stop(undefined)
    const read = (): void => {
      for (let chunk = nextChunk(req); chunk !== null; chunk = nextChunk(req)) {
        chunks.push(chunk)
        bytes += chunk.length
      }
      if (bytes < length) return
      const content = Buffer.concat(chunks)
      // In the same turn as the last read: the stream has not ended yet, and will not before this is read again.
      req.unshift(content)
      stop(content)
    }
    req.on('readable', read)
    req.once('close', abandon)
  })
}

const EMPTY = Buffer.alloc(0)

const nextChunk = (req: IncomingMessage): Buffer | null => req.read() as Buffer | null
