import { expect } from 'vitest'
import type { Description } from '../support/app.ts'
import type { Got } from '../support/client.ts'
import type { Gate } from '../support/gate.ts'
import type { Site, Stage } from '../support/scenario.ts'
import { held } from './attack.ts'

/** Somebody with a browser: it keeps his cookies, and we keep all that he ever got. */
export interface Person {
  readonly name: string
  /** The Cookie header that he sends now. */
  readonly cookie: () => Record<string, string>
  take: (got: Got) => void
  /** What only he may know: cookies that were set for him and tokens in his pages. */
  readonly secrets: Set<string>
  readonly received: Got[]
  /** For whom his pages were made. */
  names: () => Set<string>
}

const NAME = /^for (\w+)/

export function person(name: string, first: Readonly<Record<string, string>> = {}): Person {
  const jar = new Map(Object.entries(first))
  const secrets = new Set<string>()
  const received: Got[] = []
  const take = (got: Got): void => {
    received.push(got)
    for (const line of setCookies(got)) {
      const [pair] = line.split(';', 1) as [string]
      const [key, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]
      jar.set(key, value)
      // An empty one takes a cookie away.
      if (value !== '') secrets.add(value)
    }
    for (const [token] of got.text.matchAll(/secret-[\w-]+/g)) secrets.add(token)
  }
  const cookie = (): Record<string, string> =>
    jar.size === 0 ? {} : { Cookie: [...jar].map(([key, value]) => `${key}=${value}`).join('; ') }
  const names = (): Set<string> => new Set(received.flatMap((got) => NAME.exec(got.text)?.[1] ?? []))
  return { name, cookie, take, secrets, received, names }
}

function setCookies({ rawHeaders }: Got): string[] {
  return rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]!.toLowerCase() === 'set-cookie')
}

/** Three who are known, and a stranger who is somebody new each time. */
function makePeople(): { readonly known: readonly Person[]; readonly stranger: () => Person; readonly all: Person[] } {
  const known = [person('alice', { theme: 'dark' }), person('bob', { theme: 'light' }), person('carol')]
  const all = [...known]
  const stranger = (): Person => {
    const one = person('nobody')
    all.push(one)
    return one
  }
  return { known, stranger, all }
}

/**
 * Several people use the same pages: cold, fresh, stale, refreshed and expired, one after the other, all at once while
 * the render is held, and while a refresh is. Nobody ever gets what belongs to another.
 */
export async function expectOwn(
  stage: Stage,
  app: Description,
  paths: readonly string[],
): Promise<{ readonly site: Site; readonly known: readonly Person[] }> {
  let hold: Gate | undefined
  const site = await stage.serve({ ...app, routes: held(app.routes, async () => hold?.()) })
  const { known, stranger, all } = makePeople()
  for (const one of known) {
    if (app.routes['/login'] !== undefined)
      one.take(await site.ask('POST /login', { ...one.cookie(), 'X-Name': one.name }))
  }
  const visit = async (one: Person, path: string): Promise<void> => {
    const got = await site.visit(path, { ...one.cookie(), 'X-Visitor': one.name }).done
    expect(got, `${path} for ${one.name}`).toMatchObject({ status: 200, complete: true })
    one.take(got)
  }
  const everybody = (): Person[] => [stranger(), ...known]
  const inTurn = async (): Promise<void> => {
    for (const path of paths) for (const one of everybody()) await visit(one, path)
    await site.cache.idle()
  }
  /** All at once, and nobody is answered before all are there. */
  const together = async (): Promise<void> => {
    for (const path of paths) {
      const people = everybody()
      hold = stage.gate()
      let come = 0
      const allHere = Promise.withResolvers<void>()
      const count = (): void => {
        if (++come === people.length) allHere.resolve()
      }
      site.server.on('request', count)
      const visits = people.map((one) => visit(one, path))
      await Promise.race([allHere.promise, Promise.all(visits)])
      hold.open()
      await Promise.all(visits)
      site.server.off('request', count)
      hold = undefined
      await site.cache.idle()
    }
  }
  for (const seconds of [0, 0, 11, 0]) {
    stage.clock.advance(seconds)
    await inTurn()
  }
  stage.clock.advance(11)
  await together()
  stage.clock.advance(1000)
  await together()
  await site.cache.purge({ all: true })
  await together()
  expectNothingShared(all)
  return { site, known }
}

function expectNothingShared(people: readonly Person[]): void {
  const owners = new Map<string, Person>()
  for (const one of people) {
    for (const secret of one.secrets) {
      expect(owners.get(secret)?.name, `${secret} is known to ${one.name} as well`).toBeUndefined()
      owners.set(secret, one)
    }
  }
  for (const one of people) {
    // Who is not known to a render is nobody, which is no secret.
    expect([...one.names()].filter((name) => name !== one.name && name !== 'nobody')).toEqual([])
  }
}
