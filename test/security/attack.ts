import { once } from 'node:events'
import { expect } from 'vitest'
import { type Answer, type Description, type Exchange, type Route, toRoute } from '../support/app.ts'
import type { Gate } from '../support/gate.ts'
import { cacheControl, text } from '../support/reply.ts'
import type { Site, Stage } from '../support/scenario.ts'
import { expectPage, get, parse, send } from './raw.ts'

/** One row of a table of attacks: what is sent, and before it whom. */
export interface Attack {
  readonly title: string
  /** Its answers must not count their renders: they are compared with those of an app without a cache. */
  readonly app: Description
  /** What the attacker sends. */
  readonly attack: string
  /** What everybody else sends. Default: GET /x. */
  readonly clean?: string | undefined
  /**
   * What the attacker gets: `own`, the answer of the app to his very request; `clean`, that of everybody else, because
   * what is not in the key is hidden; `any`. Default: own.
   */
  readonly gets?: 'own' | 'clean' | 'any' | undefined
  /** Whether the clean page is cached at all. Default: true. */
  readonly cached?: boolean | undefined
}

/** A page that is fresh for ten seconds and refreshed for ten minutes more. */
export const swr = cacheControl('max-age=10, stale-while-revalidate=600')

/** Answers with what it sees of a request: its URL, method and origin, and these headers. */
export const mirror =
  (names: readonly string[] = [], fields = swr): Answer =>
  ({ url, method, origin, headers }: Exchange) => {
    const shown = names.map((name) => [name, headers[name]])
    return text(JSON.stringify({ url, method, origin, ...Object.fromEntries(shown) }), fields)
  }

/** An app under attack, which can be played without its cache and with its renders held. */
interface Target {
  readonly site: Site
  isCached: boolean
  hold: Gate | undefined
}

/**
 * Plays rows, those of one app after each other on one site: the attack on a cold page, on a fresh one, on a stale one
 * (where the attacker starts the refresh), on one that is over, and while another waits for the same render. Everybody
 * else gets, each time, what the app without a cache says to him.
 */
export async function expectHarmless(stage: Stage, rows: readonly Attack[]): Promise<void> {
  const targets = new Map<Description, Target>()
  for (const row of rows) {
    const target = targets.get(row.app) ?? (await aim(stage, row.app))
    targets.set(row.app, target)
    await play(stage, target, row)
  }
}

async function aim(stage: Stage, app: Description): Promise<Target> {
  const state = { isCached: false, hold: undefined as Gate | undefined }
  const options = { ...app.options, skip: () => !state.isCached }
  const site = await stage.serve({ ...app, options, routes: held(app.routes, async () => state.hold?.()) })
  return Object.assign(state, { site })
}

async function play(stage: Stage, target: Target, row: Attack): Promise<void> {
  const { title, attack, clean = get('/x') } = row
  const { site } = target
  target.isCached = false
  const expected = { own: await send(site, attack), clean: await send(site, clean), any: undefined }
  const attackers = expected[row.gets ?? 'own']
  target.isCached = true

  for (const when of ['cold', 'fresh', 'stale', 'expired'] as const) {
    if (when === 'stale') stage.clock.advance(11)
    if (when === 'expired') stage.clock.advance(700)
    const got = await send(site, attack)
    if (attackers !== undefined) expectPage(got, attackers, `${title}: the attacker, ${when}`)
    const visited = await send(site, clean)
    expectPage(visited, expected.clean, `${title}: everybody else, ${when}`)
    // Or else it would be no attack on a cache.
    if (when === 'fresh') {
      expect(visited.cacheStatus.includes('; hit'), `${title}: ${visited.cacheStatus}`).toBe(row.cached ?? true)
    }
  }

  await site.cache.purge({ all: true })
  target.hold = stage.gate()
  const attacking = site.send(attack)
  await Promise.race([target.hold.reached(), attacking])
  const hasCome = once(site.server, 'request')
  const visiting = site.send(clean)
  await Promise.race([hasCome, visiting])
  target.hold.open()
  await attacking
  const waited = parse(await visiting, clean.startsWith('HEAD '))
  expectPage(waited, expected.clean, `${title}: who came with the attacker`)
  await site.cache.idle()
  expectPage(await send(site, clean), expected.clean, `${title}: who came after the two`)
  await site.cache.purge({ all: true })
}

/** The same routes, whose renders wait at a gate. */
export function held(routes: Description['routes'], hold: () => Promise<void>): Record<string, Route> {
  const entries = Object.entries(routes).map(([path, given]): [string, Route] => {
    const route = toRoute(given)
    const { answer } = route
    if (Array.isArray(answer)) throw new Error('a script of replies has no answer to compare')
    const wait = async (exchange: Exchange) => {
      await hold()
      return typeof answer === 'function' ? answer(exchange) : (answer as Exclude<Answer, readonly unknown[]>)
    }
    return [path, { ...route, answer: wait as Answer }]
  })
  return Object.fromEntries(entries)
}

/** Attacks on the same app, by their bytes. */
export const attacks = (
  app: Description,
  rows: readonly (readonly [title: string, attack: string, more?: Partial<Attack>])[],
): Attack[] => rows.map(([title, attack, more]) => ({ title, app, attack, ...more }))

/** What a site sees of its connections from now on: TLS as node:https has it, say, or another address. */
export function dress(site: Site, properties: Readonly<Record<string, unknown>>): void {
  site.server.prependListener('connection', (socket) => {
    for (const [name, value] of Object.entries(properties)) Object.defineProperty(socket, name, { value })
  })
}

/** Each of these requests has a page of its own: cold, fresh, stale and refreshed. */
export async function expectApart(stage: Stage, app: Description, requests: readonly string[]): Promise<Site> {
  let isCached = false
  const site = await stage.serve({ ...app, options: { ...app.options, skip: () => !isCached } })
  const expected = []
  for (const request of requests) expected.push(await send(site, request))
  expect(new Set(expected.map((answer) => answer.text)).size, 'pages of their own').toBe(requests.length)
  isCached = true
  for (const when of ['cold', 'fresh', 'stale', 'refreshed']) {
    if (when === 'stale') stage.clock.advance(11)
    for (const [i, request] of requests.entries()) {
      const got = await send(site, request)
      expectPage(got, expected[i]!, `${request.split('\r\n', 1)[0]}, ${when}`)
      if (when !== 'cold') expect(got.cacheStatus, request).toContain('; hit')
    }
  }
  return site
}
