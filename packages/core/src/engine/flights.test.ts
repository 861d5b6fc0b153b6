import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Flight, Flights, type Joined, type Landing } from './flights.ts'
import type { StoredResponse } from './stored-response.ts'

const RELEASED: Landing = { kind: 'released' }
const stored: Landing = { kind: 'stored', response: {} as StoredResponse }

/** Settled promises have run their reactions when this resolves. */
const settle = (): Promise<unknown> => new Promise(setImmediate)

const join = (flight: Flight, log: string[], name: string, isThere = true, waitMs = 5000): void => {
  void flight.join(waitMs, () => isThere).then((joined: Joined) => log.push(`${name} ${joined.kind}`))
}

describe('a flight', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
  afterEach(() => void vi.useRealTimers())

  test('lands once for all who have joined, and for whoever comes later', async () => {
    const flight = new Flight()
    const first = flight.join(5000, () => true)
    expect(flight.hasLanded).toBe(false)
    flight.land(stored, 1)
    flight.land(RELEASED, 2)
    expect(flight.hasLanded).toBe(true)
    expect(await first).toBe(stored)
    expect(await flight.join(5000, () => true)).toBe(stored)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is handed over to the first follower who is still there; the others wait for him', async () => {
    const flight = new Flight()
    const log: string[] = []
    join(flight, log, 'gone', false)
    join(flight, log, 'second')
    join(flight, log, 'third')
    expect(flight.handOver(true)).toBe(true)
    await settle()
    expect(log).toEqual(['second lead'])
    expect(flight.handOver(true)).toBe(true)
    await settle()
    expect(log).toEqual(['second lead', 'third lead'])
    expect(flight.handOver(true)).toBe(false)
    flight.land(RELEASED, 1)
    await settle()
    expect(log).toEqual(['second lead', 'third lead', 'gone released'])
  })

  // Where the app itself breaks off, it will do so again.
  test.each([
    [true, 3],
    [false, 1],
  ])('is handed over so often and no more, where a visitor has left: %s, %d', async (visitorLeft, times) => {
    const flight = new Flight()
    const log: string[] = []
    for (const name of ['1', '2', '3', '4', '5']) join(flight, log, name)
    const handedOver = Array.from({ length: 5 }, () => flight.handOver(visitorLeft))
    expect(handedOver.lastIndexOf(true)).toBe(times - 1)
    expect(handedOver.filter(Boolean)).toHaveLength(times)
    await settle()
    expect(log).toHaveLength(times)
    flight.land(RELEASED, 1)
    await settle()
    expect(log.slice(times)).toEqual(['1', '2', '3', '4', '5'].slice(times).map((name) => `${name} released`))
  })

  test('has nobody to be handed over to', () => {
    const flight = new Flight()
    expect(flight.handOver(true)).toBe(false)
    void flight.join(5000, () => false)
    expect(flight.handOver(true)).toBe(false)
  })

  test('is waited for as long as each follower will, and no longer', async () => {
    const flight = new Flight()
    const log: string[] = []
    join(flight, log, 'short', true, 100)
    join(flight, log, 'long', true, 200)
    await vi.advanceTimersByTimeAsync(99)
    expect(log).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(log).toEqual(['short timeout'])
    // Whoever has given up is not asked to render for the others.
    flight.handOver(true)
    await settle()
    expect(log).toEqual(['short timeout', 'long lead'])
    expect([flight.handOver(true), vi.getTimerCount()]).toEqual([false, 0])
  })
})

describe('who may still join', () => {
  test('is everybody until it has landed, and then who has looked before that', () => {
    const flight = new Flight()
    expect([0, 5, 1000].map((lookedAt) => flight.isJoinable(lookedAt))).toEqual([true, true, true])
    flight.land(stored, 5)
    expect([0, 4, 5, 6].map((lookedAt) => flight.isJoinable(lookedAt))).toEqual([true, true, false, false])
  })

  test('does not change with a second landing', () => {
    const flight = new Flight()
    flight.land(stored, 5)
    flight.land(RELEASED, 9)
    expect(flight.isJoinable(6)).toBe(false)
  })

  test('does not change when the leader does', () => {
    const flight = new Flight()
    void flight.join(5000, () => true)
    flight.handOver(true)
    expect(flight.isJoinable(1000)).toBe(true)
  })
})

/** Flights, and the counter by which moments are numbered. */
function makeFlights() {
  let moment = 0
  const next = (): number => (moment += 1)
  return { flights: new Flights(next), next }
}

describe('flights', () => {
  test('are found by key until they have landed', async () => {
    const { flights } = makeFlights()
    const flight = flights.lead('a')
    expect([flights.get('a'), flights.get('b'), flights.size]).toEqual([flight, undefined, 1])
    const joined = flight.join(5000, () => true)
    flights.land('a', flight, stored)
    expect(await joined).toBe(stored)
    expect([flights.get('a'), flights.size]).toEqual([undefined, 0])
  })

  test.each(['resolves', 'rejects'])('stay until the write %s', async (how) => {
    const { flights } = makeFlights()
    const flight = flights.lead('a')
    const write = Promise.withResolvers<void>()
    flights.land('a', flight, stored, write.promise)
    expect(await flights.get('a')?.join(5000, () => true)).toBe(stored)
    if (how === 'resolves') write.resolve()
    else write.reject(new Error('no'))
    await settle()
    expect(flights.size).toBe(0)
  })

  test('of which the write is under way are for those who have looked before it', () => {
    const { flights, next } = makeFlights()
    const flight = flights.lead('a')
    const before = next()
    flights.land('a', flight, stored, new Promise(() => undefined))
    const after = next()
    expect([before, after].map((lookedAt) => flights.get('a')?.isJoinable(lookedAt))).toEqual([true, false])
  })

  test('forget themselves alone', async () => {
    const { flights } = makeFlights()
    const older = flights.lead('a')
    const write = Promise.withResolvers<void>()
    flights.land('a', older, stored, write.promise)
    const newer = flights.lead('a')
    write.resolve()
    await settle()
    expect(flights.get('a')).toBe(newer)
  })
})
