import { promisify } from 'node:util'
import * as zlib from 'node:zlib'
import PQueue from 'p-queue'

import { ownBytes } from '../own-bytes.ts'
import { CODINGS, type Coding } from '../policy/content-coding.ts'
import { compact } from './representation.ts'
import type { StoredResponse } from './stored-response.ts'

/** Responses that wait, and their bytes, which memory may have let go of meanwhile; more are left as they are until they are stored again. */
const QUEUE_LIMIT = 1000
const QUEUE_BYTES = 16 * 1024 * 1024
/** Brotli at its best takes a second for a megabyte: above this it does a little less. */
const BEST_BYTES = 256 * 1024

type Compress = (body: Buffer) => Promise<Buffer>

/** Makes the content codings of stored responses, one after the other, in the thread pool: no visitor waits for one. */
export class Encoder {
  readonly #queue = new PQueue({ concurrency: 1 })
  readonly #waiting = new WeakSet<StoredResponse>()
  #bytes = 0
  #isClosed = false

  /** `fits`: whether it is wanted still, with so many bytes more; `onMade` hears of each form that it has got. */
  add(response: StoredResponse, fits: (bytes: number) => boolean, onMade: () => void): void {
    const { size } = response
    const isFull = this.#queue.size >= QUEUE_LIMIT || (this.#bytes > 0 && this.#bytes + size > QUEUE_BYTES)
    if (this.#isClosed || this.#waiting.has(response) || isFull) return
    this.#waiting.add(response)
    this.#bytes += size
    this.#queue
      .add(() => encode(response, fits, onMade))
      .catch(() => undefined)
      .finally(() => {
        this.#bytes -= size
      })
  }

  get isIdle(): boolean {
    return this.#queue.size + this.#queue.pending === 0
  }

  async idle(): Promise<void> {
    await this.#queue.onIdle()
  }

  close(): void {
    this.#isClosed = true
    this.#queue.clear()
  }
}

async function encode(response: StoredResponse, fits: (bytes: number) => boolean, onMade: () => void): Promise<void> {
  const { bytes } = response
  for (const coding of CODINGS) {
    const compress = COMPRESSORS[coding]
    // It may have been replaced, purged or evicted while it waited.
    if (compress === undefined || response.hasCoding(coding) || !fits(0)) continue
    const encoded = await compress(bytes)
    // A form that saves nothing is not worth its memory.
    if (encoded.length > bytes.length * 0.95 || !fits(encoded.length)) continue
    response.represent(coding, compact(ownBytes(encoded)))
    onMade()
  }
}

const { constants } = zlib

const brotli = promisify(zlib.brotliCompress)
const gzip = promisify(zlib.gzip)

const COMPRESSORS: Readonly<Record<Coding, Compress | undefined>> = {
  br: (body) =>
    brotli(body, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: body.length > BEST_BYTES ? 9 : 11,
        [constants.BROTLI_PARAM_SIZE_HINT]: body.length,
      },
    }),
  // Node has it from 22.15 on.
  zstd: 'zstdCompress' in zlib ? (body) => zstd(body) : undefined,
  gzip: (body) => gzip(body, { level: 9 }),
}

function zstd(body: Buffer): Promise<Buffer> {
  const params = { [constants.ZSTD_c_compressionLevel]: 19 }
  return promisify(zlib.zstdCompress)(body, { params })
}
