import type { RouteOptions } from '@cacheback/core'
import { ORIGIN, cookiesOf, forwardedOrigin, pathOf, queryOf, varyNames } from './key.ts'
import { rulesOf } from './rules.ts'
import type { Render, Seen, World } from './world.ts'

/** What nobody has: an address of TEST-NET-1 (RFC 5737). */
const NOBODY = '192.0.2.1'
/** What every request has that the cache makes itself. */
const ALWAYS = ['host', 'connection', 'accept', 'user-agent', 'if-none-match', 'if-modified-since']
const CONTENT = ['content-length', 'content-type']
const FORWARDING = [...ORIGIN, 'forwarded', 'x-forwarded-for']

/** Looks at what handlers saw: renders that are made for nobody must be made of the keyed parts alone. */
export class Witness {
  readonly #world: World
  readonly #asked: { readonly host: string; readonly url: string }[] = []
  /** What the answers of a path have named in Vary: their renders carry these headers. */
  readonly #varied = new Map<string, Set<string>>()
  #looked = 0

  constructor(world: World) {
    this.#world = world
  }

  /** Somebody asks for this. */
  expect(host: string, url: string): void {
    this.#asked.push({ host, url })
  }

  /** Looks at the renders since the last look. */
  look(): void {
    const { renders } = this.#world
    for (; this.#looked < renders.length; this.#looked += 1) {
      const render = renders[this.#looked]!
      const flaw = this.#flaw(render)
      if (flaw !== undefined) throw new Error(`${flaw}\nrender: ${JSON.stringify(render)}`)
      const path = pathOf(render.seen.url)
      const varied = this.#varied.get(path) ?? new Set()
      for (const name of varyNames(render.behaviour.vary)) varied.add(name)
      this.#varied.set(path, varied)
    }
  }

  #flaw({ seen, isDetached }: Render): string | undefined {
    // Without a cache the two are always the same: who asks, and in whose context his page is rendered.
    if (seen.context !== seen.headers['x-visitor']) return `rendered in the async context of ${seen.context}`
    if (!isDetached) return undefined
    const varied = this.#varied.get(pathOf(seen.url)) ?? new Set()
    const peer = this.#peer(seen, varied)
    if (peer !== undefined) return peer
    const flawUnder = (rules: RouteOptions | false): string | undefined =>
      rules === false ? 'where the cache was to keep out' : (this.#unasked(seen, rules) ?? unkeyed(seen, rules, varied))
    // The first request of a path may set out by the rules of the outer layer; what it brings is then not stored.
    const { setup } = this.#world
    return flawUnder(rulesOf(setup, seen.route)) === undefined ? undefined : flawUnder(setup.app)
  }

  /** The very bytes that somebody has asked for, but for what is not in the key. */
  #unasked({ url, headers }: Seen, rules: RouteOptions): string | undefined {
    const isAsked = this.#asked.some(
      (one) => one.host === headers['host'] && pathOf(one.url) + queryOf(one.url, rules) === url,
    )
    return isAsked ? undefined : `nobody has asked for ${headers['host']}${url}`
  }

  /** Nobody's address; behind a proxy the app asks its peer's, to know whether to believe what it forwards. */
  #peer({ headers, remoteAddress, ip }: Seen, varied: ReadonlySet<string>): string | undefined {
    // A page that says that it depends on the forwarded address is each visitor's own.
    if (varied.has('x-forwarded-for') && headers['x-forwarded-for'] !== undefined) return undefined
    const isForwarded = FORWARDING.some((name) => headers[name] !== undefined)
    const isNobody = ip === NOBODY && (isForwarded || remoteAddress === NOBODY)
    return isNobody || (isForwarded && !this.#world.setup.trustProxy)
      ? undefined
      : `the address ${ip} (${remoteAddress})`
  }
}

/** What of a visitor has come along that is not in the key. */
function unkeyed({ method, headers, url }: Seen, rules: RouteOptions, varied: ReadonlySet<string>): string | undefined {
  const selecting = new Set([...varied, ...(rules.vary ?? [])])
  const allowed = new Set([...ALWAYS, ...FORWARDING, 'cookie', ...selecting, ...(method === 'QUERY' ? CONTENT : [])])
  const stranger = Object.keys(headers).find((name) => !allowed.has(name))
  if (stranger !== undefined) return `${stranger} is not in the key`
  const { cookie, forwarded } = headers
  if (cookie !== undefined && cookie !== cookiesOf(cookie, rules)) return `the cookies ${cookie} are not in the key`
  if (url.slice(pathOf(url).length) !== queryOf(url, rules)) return `the query of ${url} is not in the key`
  const isBare = (name: string, value: RegExp): boolean => selecting.has(name) || value.test(headers[name] ?? '')
  if (!isBare('accept', /^\*\/\*$/)) return `Accept: ${headers['accept']}`
  if (!isBare('user-agent', /^cacheback\//)) return `User-Agent: ${headers['user-agent']}`
  if (headers['x-forwarded-for'] !== undefined && !isBare('x-forwarded-for', /^192\.0\.2\.1$/))
    return 'an address forwarded'
  if (forwarded !== undefined && forwarded !== forwardedOrigin(forwarded)) return `Forwarded: ${forwarded}`
  return undefined
}
