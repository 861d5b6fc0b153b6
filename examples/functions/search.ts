import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { setImmediate } from 'node:timers/promises'

import type { Cacheback } from '@cacheback/core'

/** One language of IANA's registry, and how far its name is from what was asked. */
export interface Match {
  readonly code: string
  readonly name: string
  readonly distance: number
}

export interface Answer {
  readonly matches: readonly Match[]
  readonly searchedAt: Date
  readonly tookMs: number
}

const registry = createRequire(import.meta.url).resolve('language-subtag-registry/data/json/registry.json')

/** Reads the registry (a megabyte) and compares nine thousand names with the question: some fifty milliseconds of work. */
export async function findLanguages(question: string): Promise<Answer> {
  const startedAt = performance.now()
  const asked = normal(question)
  const records = JSON.parse(await readFile(registry, 'utf8')) as {
    Type: string
    Subtag: string
    Description: string[]
  }[]
  const matches: Match[] = []
  let compared = 0
  for (const { Type, Subtag, Description } of records) {
    if (Type !== 'language') continue
    for (const name of Description)
      matches.push({ code: Subtag, name, distance: distanceOf(asked, name.toLowerCase()) })
    // Others have their turn.
    compared += 1
    if (compared % 500 === 0) await setImmediate()
  }
  const nearest = matches.toSorted((a, b) => a.distance - b.distance).slice(0, 10)
  return { matches: nearest, searchedAt: new Date(), tookMs: Math.round(performance.now() - startedAt) }
}

/** The search as the page uses it. A worker process calls this, too: a function is known by its name. */
export function cachedSearch(cache: Cacheback, maxAge: number) {
  return cache.wrap(findLanguages, {
    name: 'findLanguages',
    maxAge,
    // Whoever spells it differently gets the same.
    key: normal,
    tags: () => ['languages'],
    process: (answer, { status }) => ({ ...answer, status }),
  })
}

const normal = (question: string): string => question.trim().toLowerCase()

/** How many letters must be changed, added or taken away (Levenshtein). */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
