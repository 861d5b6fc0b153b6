import type { Cacheback } from '@cacheback/core'
import { type Client, type Visit as UnderWay, makeClient } from '../../support/client.ts'
import { makeGate } from '../../support/gate.ts'
import { type Ask, type Learnt, headersOf, isSafe, urlOf } from './ask.ts'
import type { Act, Command } from './commands.ts'
import { Judge, type AskUncached, type Verdict, type Visit } from './judge.ts'
import { pathOf } from './key.ts'
import type { Purge } from './purges.ts'
import { Witness } from './witness.ts'
import type { CachedSite } from './site.ts'
import type { World } from './world.ts'

/** What a sequence has tried. */
export interface Played {
  steps: number
  readonly verdicts: Verdict[]
}

/** A visit under way. */
interface Going {
  readonly visit: UnderWay
  readonly done: Promise<Visit>
}

/** Plays commands against the app with the cache, and has every answer judged. */
export class Player {
  readonly #world: World
  readonly #site: CachedSite
  readonly #judge: Judge
  readonly #witness: Witness
  readonly #purges: Purge[] = []
  readonly #learnt = new Map<string, Learnt>()
  /** Every visit under way hears of the clock. */
  readonly #watching = new Set<Set<number>>()
  readonly #played: Played
  #requests = 0
  #arrived = 0
  #last: Ask | undefined

  constructor(world: World, site: CachedSite, askUncached: AskUncached, played: Played) {
    this.#world = world
    this.#site = site
    this.#played = played
    this.#judge = new Judge(world, this.#purges, askUncached)
    this.#witness = new Witness(world)
    site.server.on('request', (request) => {
      if ('x-visit' in request.headers) this.#arrived += 1
    })
  }

  get #cache(): Cacheback {
    return this.#site.cache
  }

  async play(command: Command): Promise<void> {
    switch (command.kind) {
      case 'ask':
        this.#last = command.ask
        await this.#judged([this.#start(command.ask)])
        break
      case 'again':
        if (this.#last !== undefined) await this.#judged([this.#start({ ...this.#last, ...command.likeness })])
        break
      case 'poison':
        if (command.before !== undefined) await this.#act(command.before)
        for (const likeness of [command.odd, ...command.others]) await this.play({ kind: 'again', likeness })
        break
      case 'later':
        await this.#later(command)
        break
      case 'crowd':
        await this.#crowd(command)
        break
      case 'refresh':
        this.#played.steps += 1
        this.#witness.expect(command.host, command.url)
        this.#world.isAsking = true
        await this.#cache.refresh(`http://${command.host}${command.url}`)
        this.#world.isAsking = false
        break
      default:
        await this.#act(command)
    }
    await this.#cache.idle()
    this.#world.quieten()
    this.#witness.look()
  }

  async #act(act: Act): Promise<void> {
    this.#played.steps += 1
    switch (act.kind) {
      case 'behave':
        this.#world.behave(act.path, act.behaviour)
        break
      case 'change':
        this.#world.change(act.path, act.change)
        break
      case 'wait': {
        const { clock } = this.#world
        clock.now += act.seconds * 1000
        clock.monotonic += Math.max(0, act.seconds) * 1000
        for (const times of this.#watching) times.add(clock.now)
        break
      }
      case 'purge': {
        const { selector, soft } = act
        const calledAt = this.#world.moment()
        await this.#cache.purge(selector, { soft })
        this.#purges.push({ selector, soft, calledAt, heldFrom: this.#world.moment() })
      }
    }
  }

  async #later({ seconds, change, likenesses }: Command & { kind: 'later' }): Promise<void> {
    await this.#act({ kind: 'wait', seconds })
    this.#played.steps += change === undefined ? 0 : 1
    const mend = change === undefined ? undefined : this.#world.change(undefined, change)
    for (const likeness of likenesses) await this.play({ kind: 'again', likeness })
    mend?.()
  }

  async #crowd(command: Command & { kind: 'crowd' }): Promise<void> {
    const { first = this.#last, others, hold, acts, late } = command
    if (first === undefined) return
    this.#last = first
    const gate = makeGate()
    const going: Going[] = []
    const clients: Client[] = []
    const come = async (ask: Ask): Promise<void> => {
      const client = command.isShared === true ? this.#site.client : makeClient(this.#site.server)
      clients.push(client)
      going.push(this.#start(ask, client))
      await this.#settle(going.at(-1)!)
    }
    this.#world.hold = { where: hold, gate }
    for (const likeness of [{}, ...others]) await come({ ...first, ...likeness })
    for (const act of acts) {
      if (act.kind === 'leave') going[act.who]?.visit.abort()
      else if (act.kind === 'ask') await come(act.ask)
      else await this.#act(act)
      await turns()
    }
    for (const likeness of late) await come({ ...first, ...likeness })
    this.#world.hold = undefined
    gate.open()
    try {
      await this.#judged(going)
    } finally {
      if (command.isShared !== true) for (const client of clients) client.close()
    }
  }

  /** Sends a request. */
  #start(ask: Ask, client = this.#site.client): Going {
    const request = (this.#requests += 1)
    this.#played.steps += 1
    const url = urlOf(ask, request)
    const headers = headersOf(ask, request, this.#learnt.get(pathOf(url)) ?? {})
    const sent = { method: ask.method, url, headers, content: ask.content }
    this.#witness.expect(ask.host, url)
    const { quietAt } = this.#world
    const beganAt = this.#world.moment()
    const times = new Set([beganAt.time])
    this.#watching.add(times)
    const body = ask.content === '' ? undefined : ask.content
    const visit = client.visit(`${ask.method} ${url}`, headers, body === undefined ? {} : { body })
    let hasLeft = false
    const abort = (): void => {
      hasLeft = true
      visit.abort()
    }
    const done = visit.done.then((got): Visit => {
      this.#watching.delete(times)
      return { request, ask, sent, beganAt, quietAt, times, got, hasLeft }
    })
    return { visit: { ...visit, abort }, done }
  }

  /** Waits until a request has come to where it waits, or is over. */
  async #settle({ done }: Going): Promise<void> {
    const visit = { isOver: false }
    void done.then(() => (visit.isOver = true))
    while (this.#arrived < this.#requests && !visit.isOver) await turn()
    await turns()
  }

  async #judged(going: readonly Going[]): Promise<void> {
    const visits = await Promise.all(going.map(({ done }) => done))
    await this.#cache.idle()
    for (const visit of visits) this.#noteUnsafe(visit)
    for (const visit of visits) {
      const verdicts = await this.#judge.judge(visit)
      this.#played.verdicts.push(...verdicts)
      this.#learn(visit)
    }
  }

  /** A successful unsafe request is a purge of its URL, and of the one that its answer names. */
  #noteUnsafe({ sent, got, request, hasLeft }: Visit): void {
    if (hasLeft || isSafe(sent.method) || got.status < 200 || got.status > 399) return
    const render = this.#world.renders.findLast((other) => other.request === request)
    if (render === undefined) return
    const heldFrom = this.#world.moment()
    for (const url of [sent.url, ...(got.headers['location'] === undefined ? [] : [got.headers['location']])]) {
      const selector = { url: `http://${sent.headers['host']}${url}` }
      this.#purges.push({ selector, soft: false, calledAt: render.beganAt, heldFrom })
    }
  }

  #learn({ sent, got }: Visit): void {
    const { etag, 'last-modified': lastModified } = got.headers
    const path = pathOf(sent.url)
    const known = this.#learnt.get(path)
    this.#learnt.set(path, { etag: etag ?? known?.etag, lastModified: lastModified ?? known?.lastModified })
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** What has been set going comes to where it has to wait. */
async function turns(): Promise<void> {
  for (let i = 0; i < 4; i += 1) await turn()
}
