import type { QueryRule } from '../options.ts'
import type { Freshness } from '../policy/freshness.ts'
import type { Place } from '../policy/selector.ts'
import type { Selecting } from '../policy/vary.ts'
import { isSameList } from './same-list.ts'
import type { StoredHead } from './stored-parts.ts'

/**
 * A stored head as memory keeps it. Most of it is the same for all responses of a route: they share one copy, and each
 * has for its own what tells it apart. Fewer and smaller objects also make a miss cheaper, since the garbage collector has
 * to move all that stays. Half of it are getters, which a spread does not see: `whole` has all of it.
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
    const { path, query, tags } = place
    this.key = key
    this.selecting = selecting
    this.path = path
    this.query = query
    this.tags = tags
    this.receivedAt = receivedAt
    this.epoch = epoch
    this.#common = commonOf(head)
    this.freshness = new Times(head.freshness, lifetimeOf(head, this.#common))
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
    return this.freshness.bornAt + this.freshness.lifetime.keepMs
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

/** What the responses of a route mostly have in common; and the lifetime that the last of them had. */
interface Common
  extends
    Pick<StoredHead, 'status' | 'reason' | 'authorized' | 'isHeuristic' | 'isWhole' | 'isInner' | 'hasOwnEtag'>,
    Pick<Place, 'host' | 'hosts' | 'queryRule' | 'search' | 'route'> {
  lastLifetime: Lifetime | undefined
}

function commonOf(head: StoredHead): Common {
  // Mostly the next response is one of the same route.
  if (last !== undefined && isCommon(last, head)) return last
  const name = nameOf(head)
  const known = commons.get(name)
  last = known !== undefined && isCommon(known, head) ? known : noteCommon(name, head)
  return last
}

function noteCommon(name: string, head: StoredHead): Common {
  const { place } = head
  const common: Common = {
    status: head.status,
    reason: head.reason,
    authorized: head.authorized,
    isHeuristic: head.isHeuristic,
    isWhole: head.isWhole,
    isInner: head.isInner,
    hasOwnEtag: head.hasOwnEtag,
    host: place.host,
    hosts: place.hosts,
    queryRule: place.queryRule,
    search: place.search,
    route: place.route,
    lastLifetime: undefined,
  }
  if (commons.size >= MAX_NAMES) commons.clear()
  commons.set(name, common)
  return common
}

/** The last of each route and host: where the next is the same, both share it. */
const commons = new Map<string, Common>()
const MAX_NAMES = 1000
let last: Common | undefined

/** Under which it is looked for; what is found is compared, so that two may have the same. */
const nameOf = ({ status, place }: StoredHead): string => `${status}${place.host}${place.route ?? ''}`

/** Each by name: in a loop over names it would cost several times as much, for every miss. */
function isCommon(common: Common, head: StoredHead): boolean {
  const { place } = head
  return (
    common.status === head.status &&
    common.reason === head.reason &&
    common.authorized === head.authorized &&
    common.isHeuristic === head.isHeuristic &&
    common.isWhole === head.isWhole &&
    common.isInner === head.isInner &&
    common.hasOwnEtag === head.hasOwnEtag &&
    common.host === place.host &&
    isSameList(common.hosts, place.hosts) &&
    common.queryRule === place.queryRule &&
    common.search === place.search &&
    common.route === place.route
  )
}

/** Milliseconds from birth on: of freshness, with the windows behind it, and until nothing is left of it. */
interface Lifetime {
  readonly freshMs: number
  readonly staleMs: number
  readonly errorMs: number
  readonly keepMs: number
}

function lifetimeOf(head: StoredHead, common: Common): Lifetime {
  const { bornAt, freshUntil, staleUntil, errorUntil } = head.freshness
  const freshMs = freshUntil - bornAt
  const staleMs = staleUntil - bornAt
  const errorMs = errorUntil - bornAt
  const keepMs = head.keepUntil - bornAt
  const before = common.lastLifetime
  const isSame =
    before !== undefined &&
    before.freshMs === freshMs &&
    before.staleMs === staleMs &&
    before.errorMs === errorMs &&
    before.keepMs === keepMs
  if (isSame) return before
  const lifetime: Lifetime = { freshMs, staleMs, errorMs, keepMs }
  common.lastLifetime = lifetime
  return lifetime
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
