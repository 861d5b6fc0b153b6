/**
 * The keys in Redis. An entry, its URL's list of selecting headers, their order and their leases have one hash tag, the
 * digest of the URL's key, and so lie in one slot of a cluster. All begin with one prefix, for access lists.
 */
export class Keys {
  readonly #prefix: string
  /** What is published reaches all databases of a server. */
  readonly #channels: string

  /** `database`: the number of that which the keys are in. */
  constructor(prefix: string, database = 0) {
    this.#prefix = prefix
    // No prefix holds a tilde: those of other caches are never the same.
    this.#channels = database === 0 ? prefix : `${prefix}${database}~`
  }

  /** Of an entry: readable, then the tag. A variant's has a digest of its own behind. */
  entry(address: string): string {
    const tilde = address.indexOf('~')
    if (tilde === -1) return this.#prefix + address
    const end = tilde + 1 + DIGEST_LENGTH
    return `${this.#prefix}${address.slice(0, tilde)}~{${address.slice(tilde + 1, end)}}${address.slice(end)}`
  }

  /** The counter of a URL's renders, and the number below which none is stored any more. */
  order(address: string): string {
    return `${this.#prefix}{${digestOf(address)}}order`
  }

  lease(address: string): string {
    return `${this.#prefix}{${digestOf(address)}}lease${address.slice(address.search(DIGEST) + 1 + DIGEST_LENGTH)}`
  }

  /** What all processes of one namespace share. */
  common(namespace: string, name: 'state' | 'purges' | 'unsafe' | 'alive'): string {
    return `${this.#prefix}{${namespace}}${name}`
  }

  /** Where word of purges, and of leases that have ended, is published. */
  bus(namespace: string): string {
    return `${this.#channels}${namespace}bus`
  }

  /** Where one process is spoken to. */
  ear(namespace: string, process: string): string {
    return `${this.#channels}${namespace}to:${process}`
  }
}

/** What Redis keeps under a key of ours. */
export function typeOf(key: string): 'string' | 'hash' | 'zset' {
  const name = key.includes('~{') ? undefined : /\}(order|lease|state|purges|unsafe|alive)[^}]*$/.exec(key)?.[1]
  if (name === undefined) return 'string'
  return HASHES.has(name) ? 'hash' : 'zset'
}

const HASHES = new Set(['order', 'lease', 'state'])

/** As storeKey() of the core writes it: what is readable has no tilde. */
const DIGEST_LENGTH = 27
const DIGEST = new RegExp(`~([\\w-]{${DIGEST_LENGTH}})`)

const digestOf = (address: string): string => DIGEST.exec(address)?.[1] ?? ''
