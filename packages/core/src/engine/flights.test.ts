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
    flight.land(stored)
    flight.land(RELEASED)
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
    flight.land(RELEASED)
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
    flight.land(RELEASED)
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
  const LOOKS = [0, 4, 5, 6, 1000]
  const joinable = (flight: Flight): number[] => LOOKS.filter((lookedAt) => flight.isJoinable(lookedAt))

  test('is everybody until what it has brought can be found, and then who has looked before that', () => {
    const flight = new Flight()
    expect(joinable(flight)).toEqual(LOOKS)
    flight.land(stored)
    expect(joinable(flight)).toEqual(LOOKS)
    flight.becomeVisible(5)
    expect(joinable(flight)).toEqual([0, 4])
  })

  test('does not change when the leader does', () => {
    const flight = new Flight()
    void flight.join(5000, () => true)
    flight.handOver(true)
    expect(joinable(flight)).toEqual(LOOKS)
  })
})

/** Flights, and the counter by which moments are numbered. */
function makeFlights() {
  let moment = 0
  const next = (): number => (moment += 1)
  return { flights: new Flights(next), next }
}

describe('flights', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
  afterEach(() => void vi.useRealTimers())

  test('are found by key until they have landed', async () => {
    const { flights } = makeFlights()
    const flight = flights.lead('a')
    expect([flights.get('a'), flights.get('b'), flights.size]).toEqual([flight, undefined, 1])
    const joined = flight.join(5000, () => true)
    flights.land('a', flight, stored)
    expect(await joined).toBe(stored)
    expect([flights.get('a'), flights.size]).toEqual([undefined, 0])
  })

  test('stay until it is written, for everybody, and then as long as a look may take, for who has looked before', async () => {
    const { flights, next } = makeFlights()
    const flight = flights.lead('a')
    const written = Promise.withResolvers<void>()
    const followed = flight.join(5000, () => true)
    flights.land('a', flight, stored, { done: written.promise, lookMs: 50 })
    expect(await followed).toBe(stored)
    await vi.advanceTimersByTimeAsync(5000)
    const before = next()
    expect(flights.get('a')?.isJoinable(before)).toBe(true)
    written.resolve()
    await settle()
    const after = next()
    expect([before, after].map((lookedAt) => flights.get('a')?.isJoinable(lookedAt))).toEqual([true, false])
    expect(await flights.get('a')?.join(5000, () => true)).toBe(stored)
    await vi.advanceTimersByTimeAsync(49)
    expect(flights.get('a')).toBe(flight)
    await vi.advanceTimersByTimeAsync(1)
    expect([flights.size, vi.getTimerCount()]).toEqual([0, 0])
  })

  test('forget themselves alone', async () => {
    const { flights } = makeFlights()
    const [older, lingering] = [flights.lead('a'), flights.lead('b')]
    flights.land('b', lingering, stored, { done: Promise.resolve(), lookMs: 50 })
    const newer = [flights.lead('a'), flights.lead('b')]
    flights.land('a', older, stored)
    await settle()
    await vi.advanceTimersByTimeAsync(50)
    expect([flights.get('a'), flights.get('b')]).toEqual(newer)
  })
})
