import { createHash } from 'node:crypto'

import type { Link, Word } from './link.ts'

/** A script by its digest, and as a whole where the server does not know it (it was restarted, or another node asked). */
export class Script {
  readonly #text: string
  readonly #digest: string

  constructor(text: string) {
    this.#text = text
    this.#digest = createHash('sha1').update(text).digest('hex')
  }

  async run(link: Link, keys: readonly string[], words: readonly Word[]): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...words]
    const [first = ''] = keys
    try {
      return await link.run(first, ['EVALSHA', this.#digest, ...rest])
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
      return link.run(first, ['EVAL', this.#text, ...rest])
    }
  }
}
