import type { QueryRule } from '../options.ts'
import type { Freshness } from '../policy/freshness.ts'
import type { Place } from '../policy/selector.ts'
import type { Selecting } from '../policy/vary.ts'
import type { StoredHead } from './stored-response.ts'

/**
 * A stored head as memory keeps it. Most of it is the same for all responses of a route: they share one copy, and each
 * has for its own what tells it apart. Fewer and smaller objects also make a miss cheaper, since the garbage collector has
 * to move all that stays.
 */
export class KeptHead implements StoredHead, Place {
  readonly key: string
  readonly selecting: Selecting
  readonly path: string
  readonly query: string
  readonly tags: readonly string[]
  readonly freshness: Times
  readonly receivedAt: number
  readonly epoch: number
  readonly #common: Common

  constructor(head: StoredHead) {
    const { key, selecting, place, receivedAt, epoch } = head
    const { path, query, tags, route = '' } = place
    this.key = key
    this.selecting = selecting
    this.path = path
    this.query = query
    this.tags = tags
    this.receivedAt = receivedAt
    this.epoch = epoch
    this.#common = commons.shared(route, commonOf(head))
    this.freshness = new Times(head.freshness, lifetimes.shared(route, lifetimeOf(head)))
  }

  /** As it is written to a store. */
  get whole(): StoredHead {
    const { host, hosts, queryRule, search, route } = this.#common
    const { bornAt, freshUntil, staleUntil, errorUntil } = this.freshness
    return {
      key: this.key,
      selecting: this.selecting,
      status: this.status,
      reason: this.reason,
      place: { host, hosts, path: this.path, query: this.query, queryRule, search, route, tags: this.tags },
      freshness: { bornAt, freshUntil, staleUntil, errorUntil },
      receivedAt: this.receivedAt,
      authorized: this.authorized,
      keepUntil: this.keepUntil,
      isHeuristic: this.isHeuristic,
      isWhole: this.isWhole,
      isInner: this.isInner,
      hasOwnEtag: this.hasOwnEtag,
      epoch: this.epoch,
    }
  }

  get place(): Place {
    return this
  }

  get keepUntil(): number {
    return this.receivedAt + this.freshness.lifetime.keepMs
  }

  get status(): number {
    return this.#common.status
  }

  get reason(): string | undefined {
    return this.#common.reason
  }

  get authorized(): boolean {
    return this.#common.authorized
  }

  get isHeuristic(): boolean {
    return this.#common.isHeuristic
  }

  get isWhole(): boolean {
    return this.#common.isWhole
  }

  get isInner(): boolean {
    return this.#common.isInner
  }

  get hasOwnEtag(): boolean {
    return this.#common.hasOwnEtag
  }

  get host(): string {
    return this.#common.host
  }

  get hosts(): readonly string[] {
    return this.#common.hosts
  }

  get queryRule(): QueryRule {
    return this.#common.queryRule
  }

  get search(): string | undefined {
    return this.#common.search
  }

  get route(): string | undefined {
    return this.#common.route
  }
}

/** What the responses of a route mostly have in common. */
type Common = Pick<
  StoredHead,
  'status' | 'reason' | 'authorized' | 'isHeuristic' | 'isWhole' | 'isInner' | 'hasOwnEtag'
> &
  Pick<Place, 'host' | 'hosts' | 'queryRule' | 'search' | 'route'>

function commonOf({ place, ...head }: StoredHead): Common {
  const { status, reason, authorized, isHeuristic, isWhole, isInner, hasOwnEtag } = head
  const { host, hosts, queryRule, search, route } = place
  return {
    status,
    reason,
    authorized,
    isHeuristic,
    isWhole,
    isInner,
    hasOwnEtag,
    host,
    hosts,
    queryRule,
    search,
    route,
  }
}

/** Milliseconds: of freshness from birth on, of the windows behind it, and from storing on until nothing is left of it. */
interface Lifetime {
  readonly freshMs: number
  readonly staleMs: number
  readonly errorMs: number
  readonly keepMs: number
}

function lifetimeOf({ freshness, receivedAt, keepUntil }: StoredHead): Lifetime {
  const { bornAt, freshUntil, staleUntil, errorUntil } = freshness
  return {
    freshMs: freshUntil - bornAt,
    staleMs: staleUntil - bornAt,
    errorMs: errorUntil - bornAt,
    keepMs: keepUntil - receivedAt,
  }
}

class Times implements Freshness {
  readonly bornAt: number
  readonly lifetime: Lifetime

  constructor({ bornAt }: Freshness, lifetime: Lifetime) {
    this.bornAt = bornAt
    this.lifetime = lifetime
  }

  get freshUntil(): number {
    return this.bornAt + this.lifetime.freshMs
  }

  get staleUntil(): number {
    return this.bornAt + this.lifetime.staleMs
  }

  get errorUntil(): number {
    return this.bornAt + this.lifetime.errorMs
  }
}

/** Gives out the value that was the last of its name, where the new one is the same: then many share it. */
class Sharing<Value extends object> {
  readonly #last = new Map<string, Value>()

  shared(name: string, value: Value): Value {
    const last = this.#last.get(name)
    if (last !== undefined && isSame(last, value)) return last
    if (this.#last.size >= MAX_NAMES) this.#last.clear()
    this.#last.set(name, value)
    return value
  }
}

const MAX_NAMES = 1000

function isSame<Value extends object>(one: Value, other: Value): boolean {
  for (const name in one) {
    if (one[name] !== other[name]) return false
  }
  return true
}

const commons = new Sharing<Common>()
const lifetimes = new Sharing<Lifetime>()
