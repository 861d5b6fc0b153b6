import { randomUUID } from 'node:crypto'

import {
  type Address,
  type Claimed,
  type ClaimRequest,
  ForeignReplyError,
  type Membership,
  type NumberedMark,
  type Party,
  type PastMark,
  type PurgeState,
  type Put,
  type RankedFrame,
  type ToldPurge,
} from '@cacheback/core'

import { Bus, type Message } from './bus.ts'
import { type Keys, typeOf } from './keys.ts'
import type { Link, Word } from './link.ts'
import type { Script } from './script.ts'
import { BEAT, CLAIM, HEAL, PURGE, PUT, RELEASE, REMOVE, RENEW, RESTORE, SINCE } from './scripts.ts'

/** A process that has said nothing for so long is not waited for. */
const ALIVE_MS = 3000
/** Of each kind; more purges become one of everything that is as old as the oldest tenth. */
const MAX_PURGES = 10_000
const MAX_UNSAFE = 1000
/** Longer than anything is kept in a store. */
const KEEP_PURGES_MS = 400 * 86_400_000
/**
 * A counter lives as long as what is stored under it. Where nothing is, it must outlive the renders under way, for it knows
 * what has been removed since they began: one that takes longer than this could put that back. It does not live for ever,
 * for whoever asks for URLs that are never stored would fill a Redis with counters. One that is gone begins anew above all
 * that it has given out (see CLAIM).
 */
const KEEP_ORDER_MS = 900_000
const RANK_BYTES = 17
const LIST_HEAD_BYTES = 33

/** A cache's part in a Redis. */
export class Member implements Membership {
  readonly #link: Link
  readonly #keys: Keys
  readonly #namespace: string
  readonly #bus: Bus

  constructor(link: Link, keys: Keys, party: Party) {
    this.#link = link
    this.#keys = keys
    this.#namespace = party.namespace
    this.#bus = new Bus(link, keys, party, ALIVE_MS)
    link.onConnected(() => party.onConnected())
  }

  get hears(): boolean {
    return this.#bus.hears
  }

  async read(url: string, entries: readonly string[]): Promise<readonly (RankedFrame | undefined)[]> {
    const keys = [url, ...entries].map((address) => this.#keys.entry(address))
    const reply = await this.#link.run(keys[0]!, ['MGET', ...keys])
    if (!Array.isArray(reply) || reply.length !== keys.length) throw new ForeignReplyError('MGET')
    const [atUrl, ...others] = reply.map(readRanked)
    const floor = atUrl?.floor ?? 0
    return [atUrl, ...others.map((found) => (found !== undefined && found.rank < floor ? undefined : found))]
  }

  async claim(address: Address, { token, known, leaseMs }: ClaimRequest): Promise<Claimed> {
    const words = [token, String(known), String(leaseMs), String(KEEP_ORDER_MS)]
    const [kind, value] = await this.#run(CLAIM, this.#placesOf(address, address), token, words)
    const number = toNumber(value)
    switch (String(kind)) {
      case 'granted':
        return { kind: 'granted', rank: number }
      case 'busy':
        return { kind: 'busy', leftMs: number }
      case 'newer':
        return { kind: 'newer', rank: number }
      default:
        throw new ForeignReplyError('CLAIM')
    }
  }

  async renew({ entry }: Address, token: string, leaseMs: number): Promise<boolean> {
    const keys = [this.#keys.lease(entry), this.#keys.order(entry)]
    const [isHeld] = await this.#run(RENEW, keys, token, [token, String(leaseMs), String(KEEP_ORDER_MS)])
    return toNumber(isHeld) === 1
  }

  async release(lease: Address, token: string): Promise<void> {
    await this.#run(RELEASE, [this.#keys.lease(lease.entry)], token, [token, this.#bus.channel, ended(lease)])
  }

  async put(address: Address, lease: Address, put: Put): Promise<boolean> {
    const { token, rank, frame, index, ttlMs } = put
    const echo = randomUUID()
    const words = [
      echo,
      token,
      String(rank),
      bytes(frame),
      bytes(index),
      String(ttlMs),
      this.#bus.channel,
      ended(lease),
    ]
    const [isStored] = await this.#run(PUT, this.#placesOf(address, lease), echo, words)
    return toNumber(isStored) === 1
  }

  async remove({ entry }: Address, rank: number): Promise<void> {
    const echo = randomUUID()
    const keys = [this.#keys.entry(entry), this.#keys.order(entry)]
    await this.#run(REMOVE, keys, echo, [echo, String(rank), String(KEEP_ORDER_MS)])
  }

  async time(): Promise<number> {
    const reply = await this.#link.run(this.#common('state'), ['TIME'])
    if (!Array.isArray(reply) || reply.length !== 2) throw new ForeignReplyError('TIME')
    return toNumber(reply[0]) * 1000 + Math.floor(toNumber(reply[1]) / 1000)
  }

  async beat(): Promise<PurgeState> {
    this.#bus.check()
    const echo = randomUUID()
    const words = [echo, this.#bus.id, String(ALIVE_MS), this.#bus.ear, say(['beat'])]
    const keys = [this.#common('state'), this.#common('alive'), this.#common('purges'), this.#common('unsafe')]
    const state = stateOf(await this.#run(BEAT, keys, echo, words))
    this.#bus.count(state.processes)
    return state
  }

  async purgesSince(number: number): Promise<PurgeState & { readonly marks: readonly PastMark[] }> {
    const echo = randomUUID()
    const keys = [this.#common('state'), this.#common('purges'), this.#common('unsafe'), this.#common('alive')]
    const reply = await this.#run(SINCE, keys, echo, [echo, String(number)])
    const now = toNumber(reply[3])
    const marks: PastMark[] = []
    for (let i = 4; i + 1 < reply.length; i += 2) {
      // A number is the time of its purge, or just above that of the one before.
      const madeAt = toNumber(reply[i + 1])
      marks.push({ selector: String(reply[i]), number: madeAt, agoMs: Math.max(0, now - madeAt) })
    }
    return { ...stateOf(reply), marks: marks.toSorted((a, b) => a.number - b.number) }
  }

  async purge(selector: string, known: number, bounded: boolean): Promise<ToldPurge> {
    const gathered = this.#bus.gather()
    try {
      const keys = [this.#common('state'), this.#common(bounded ? 'unsafe' : 'purges'), this.#common('alive')]
      const limit = bounded ? MAX_UNSAFE : MAX_PURGES
      const numbers = [known, limit, bounded ? 1 : 0, ALIVE_MS, KEEP_PURGES_MS].map(String)
      const words = [this.#bus.id, selector, ...numbers, this.#bus.channel]
      const [number, previous, ...alive] = await this.#run(PURGE, keys, this.#bus.id, words)
      const acknowledged = gathered(toNumber(number), alive.map(String))
      return { number: toNumber(number), previous: toNumber(previous), acknowledged }
    } catch (error) {
      this.#bus.giveUp()
      throw error
    }
  }

  async restore(marks: readonly NumberedMark[], known: number): Promise<void> {
    const echo = randomUUID()
    const keys = [this.#common('state'), this.#common('purges'), this.#common('unsafe')]
    const told = marks.flatMap(({ number, selector }) => [isUnsafe(selector) ? '3' : '2', String(number), selector])
    const words = [echo, String(known), String(KEEP_PURGES_MS), this.#bus.channel, ...told]
    await this.#run(RESTORE, keys, echo, words)
  }

  async leave(): Promise<void> {
    this.#bus.close()
    const alive = this.#common('alive')
    const timer = new Promise((resolve) => setTimeout(resolve, LEAVE_PATIENCE_MS).unref())
    const { id, channel } = this.#bus
    const leaving = Promise.all([
      this.#link.run(alive, ['ZREM', alive, id]),
      this.#link.run(channel, ['PUBLISH', channel, say(['left', id])]),
    ])
    await Promise.race([leaving.catch(() => undefined), timer])
  }

  /** Runs a script whose reply begins with `echo`; returns the rest. */
  async #run(script: Script, keys: readonly string[], echo: string, words: readonly Word[]): Promise<unknown[]> {
    const reply = await this.#healed(() => script.run(this.#link, keys, words), keys)
    if (!Array.isArray(reply) || String(reply[0]) !== echo) throw new ForeignReplyError('the reply to something else')
    return reply.slice(1)
  }

  /** What others have written under our keys goes: nothing could ever be stored there. */
  async #healed<T>(run: () => Promise<T>, keys: readonly string[]): Promise<T> {
    try {
      return await run()
    } catch (error) {
      if (!(error instanceof Error && error.message.includes('WRONGTYPE'))) throw error
      await HEAL.run(this.#link, keys, keys.map(typeOf))
      return run()
    }
  }

  #placesOf({ url, entry }: Address, lease: Address): string[] {
    const keys = this.#keys
    return [keys.entry(url), keys.entry(entry), keys.order(url), keys.lease(lease.entry)]
  }

  #common(name: 'state' | 'purges' | 'unsafe' | 'alive'): string {
    return this.#keys.common(this.#namespace, name)
  }
}

const LEAVE_PATIENCE_MS = 300

function readRanked(found: unknown): (RankedFrame & { readonly floor: number }) | undefined {
  if (found === null || found === undefined) return undefined
  if (!Buffer.isBuffer(found)) throw new ForeignReplyError('MGET')
  const isList = found[0] === LIST
  const headBytes = isList ? LIST_HEAD_BYTES : RANK_BYTES
  const rank = readDigits(found, 1, RANK_BYTES)
  const floor = isList ? readDigits(found, RANK_BYTES, LIST_HEAD_BYTES) : 0
  // What does not begin with a rank is nothing of ours.
  return Number.isSafeInteger(rank) && Number.isSafeInteger(floor)
    ? { frame: found.subarray(headBytes), rank, floor }
    : undefined
}

const LIST = 'v'.charCodeAt(0)

/** The number that stands in these bytes, all of them digits; else NaN. By hand: to make a string of them costs three times as much. */
function readDigits(bytes: Buffer, from: number, to: number): number {
  let number = 0
  for (let i = from; i < to; i += 1) {
    const digit = bytes[i]! - ZERO
    if (!(digit >= 0 && digit <= 9)) return Number.NaN
    number = number * 10 + digit
  }
  return number
}

const ZERO = '0'.charCodeAt(0)

function stateOf([latest, restoredAt, processes]: readonly unknown[]): PurgeState {
  return { latest: toNumber(latest), restoredAt: toNumber(restoredAt), processes: toNumber(processes) }
}

/** Redis says numbers in scripts as integers, scores as strings. */
function toNumber(value: unknown): number {
  const number = Number(String(value))
  if (!Number.isFinite(number)) throw new ForeignReplyError('no number')
  return number
}

const say = (message: Message): string => JSON.stringify(message)
const ended = ({ url, entry }: Address): string => say(['ended', url, entry])
const bytes = (frame: Uint8Array | undefined): Word =>
  frame === undefined ? '' : Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)

function isUnsafe(selector: string): boolean {
  return selector.endsWith('"unsafe":true}')
}
