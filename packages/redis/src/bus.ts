import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'

import type { Party } from '@cacheback/core'

import type { Keys } from './keys.ts'
import type { Link } from './link.ts'

/** How long a purge waits for the other processes. */
const ACKNOWLEDGE_MS = 250
/** A process hears its own beats; after this silence it hears nothing at all. */
const SILENCE_MS = 1500
/** Then it listens anew, so often at most. */
const LISTEN_AGAIN_MS = 3000

/** What processes say to each other. */
export type Message =
  | readonly ['purge', number: string, selector: string, from: string, previous: string]
  | readonly ['restored']
  | readonly ['left', id: string]
  | readonly ['ended', url: string, entry: string]
  | readonly ['beat']
  | readonly ['done', number: string, from: string]

/** Word between the processes of one namespace: purges, acknowledgements, leases that have ended. */
export class Bus {
  /** Names this process among the others. */
  readonly id: string = `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`
  readonly #link: Link
  readonly #keys: Keys
  readonly #party: Party
  /** Who has acknowledged which purge, while any is under way here. */
  readonly #done = new Map<number, Set<string>>()
  #waiting = 0
  readonly #onDone = new Set<() => void>()
  /** The most processes that were alive at once, a moment ago. */
  #most = 1
  #countedAt = -Infinity
  readonly #aliveMs: number
  #heardAt = -Infinity
  #isClosed = false
  #listenedAt: number

  constructor(link: Link, keys: Keys, party: Party, aliveMs: number) {
    this.#aliveMs = aliveMs
    this.#link = link
    this.#keys = keys
    this.#party = party
    this.#listenedAt = performance.now()
    link.listen([this.channel, this.ear], (text) => this.#hear(text))
  }

  /** What it listens to may be used by others still. */
  close(): void {
    this.#isClosed = true
  }

  get channel(): string {
    return this.#keys.bus(this.#party.namespace)
  }

  /** Where this process alone is spoken to. */
  get ear(): string {
    return this.#keys.ear(this.#party.namespace, this.id)
  }

  get hears(): boolean {
    return performance.now() - this.#heardAt < SILENCE_MS
  }

  /** Called with every beat: a connection that has gone deaf is made anew. */
  check(): void {
    const now = performance.now()
    if (this.hears || now - Math.max(this.#heardAt, this.#listenedAt) < LISTEN_AGAIN_MS) return
    this.#listenedAt = now
    this.#link.listenAgain()
  }

  /** Gathers acknowledgements that may come before it is known of which purge. Call the result with its number. */
  gather(): (number: number, alive: readonly string[]) => Promise<{ acknowledged: number; missing: number }> {
    this.#waiting += 1
    return async (number, alive) => {
      const others = alive.filter((id) => id !== this.id)
      const done = (): ReadonlySet<string> => this.#done.get(number) ?? NOBODY
      // A Redis that has lost everything does not know of all who are alive.
      const missing = (): number =>
        Math.max(others.filter((id) => !done().has(id)).length, this.#processes - 1 - done().size)
      if (missing() > 0) await this.#until(() => missing() <= 0)
      const report = { acknowledged: 1 + done().size, missing: Math.max(0, missing()) }
      this.#waiting -= 1
      this.#done.delete(number)
      if (this.#waiting === 0) this.#done.clear()
      return report
    }
  }

  /** How many a beat has found alive. One that is missing in the next may be so because Redis has lost it. */
  count(processes: number): void {
    const now = performance.now()
    if (processes < this.#most && now - this.#countedAt < this.#aliveMs) return
    this.#most = processes
    this.#countedAt = now
  }

  get #processes(): number {
    return performance.now() - this.#countedAt < this.#aliveMs ? this.#most : 1
  }

  /** Where nothing came of what was to be gathered for. */
  giveUp(): void {
    this.#waiting -= 1
    if (this.#waiting === 0) this.#done.clear()
  }

  #until(isOver: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (isOver()) end()
      }
      const end = (): void => {
        clearTimeout(timer)
        this.#onDone.delete(look)
        resolve()
      }
      // Somebody waits for it: this timer keeps the process.
      const timer = setTimeout(end, ACKNOWLEDGE_MS)
      this.#onDone.add(look)
    })
  }

  #hear(text: string): void {
    if (this.#isClosed) return
    this.#heardAt = performance.now()
    const message = readMessage(text)
    switch (message?.[0]) {
      case 'purge': {
        const [, number, selector, from, previous] = message
        if (from === this.id) return
        this.#party.onPurge({ number: Number(number), selector }, Number(previous))
        this.#say(from, ['done', number, this.id])
        return
      }
      case 'done':
        this.#noteDone(Number(message[1]), message[2])
        return
      case 'ended':
        this.#party.onLeaseEnded({ url: message[1], entry: message[2] })
        return
      case 'left':
        this.#most -= 1
        this.#onDone.forEach((look) => look())
        return
      case 'restored':
        this.#party.onRestored()
    }
  }

  #noteDone(number: number, from: string): void {
    if (this.#waiting === 0) return
    const done = this.#done.get(number) ?? new Set()
    this.#done.set(number, done.add(from))
    // Acknowledgements that come too late belong to nobody any more, and go when nobody gathers; or, if ever, here.
    if (this.#done.size > MAX_GATHERED) this.#done.delete(this.#done.keys().next().value!)
    this.#onDone.forEach((look) => look())
  }

  #say(to: string, message: Message): void {
    const channel = this.#keys.ear(this.#party.namespace, to)
    this.#link.run(channel, ['PUBLISH', channel, JSON.stringify(message)]).catch(() => undefined)
  }
}

/** More purges than can be under way at once. */
const MAX_GATHERED = 10_000

const NOBODY: ReadonlySet<string> = new Set()

/** What is published is not trusted: what is no message is none. */
function readMessage(text: string): Message | undefined {
  try {
    const message: unknown = JSON.parse(text)
    const isMessage = Array.isArray(message) && message.every((word) => typeof word === 'string')
    return isMessage && LENGTHS.get(String(message[0])) === message.length ? (message as unknown as Message) : undefined
  } catch {
    return undefined
  }
}

const LENGTHS = new Map([
  ['purge', 5],
  ['restored', 1],
  ['left', 2],
  ['ended', 3],
  ['beat', 1],
  ['done', 3],
])
