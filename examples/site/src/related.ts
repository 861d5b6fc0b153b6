import { readFile } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'

import type { Catalogue, InstalledPackage } from './catalogue.ts'

type Counts = ReadonlyMap<string, number>

const SHOWN = 6

/**
 * The packages whose READMEs are most alike: cosine similarity of their words and pairs of words, weighed by how rare
 * these are (tf-idf). All READMEs are read and counted each time. A site would keep an index; this one has a cache
 * before it.
 */
export async function findRelated(shown: InstalledPackage, catalogue: Catalogue): Promise<InstalledPackage[]> {
  const documents = new Map<InstalledPackage, Counts>()
  const spread = new Map<string, number>()
  for (const candidate of catalogue.values()) {
    // Waiting for the file gives others their turn: a cache hit needs no more than a moment between two READMEs.
    const terms = await countTerms(candidate)
    documents.set(candidate, terms)
    for (const term of terms.keys()) spread.set(term, (spread.get(term) ?? 0) + 1)
  }
  const own = weighTerms(documents.get(shown) ?? new Map(), spread, documents.size)
  const ranking: { candidate: InstalledPackage; likeness: number }[] = []
  for (const [candidate, terms] of documents) {
    await setImmediate()
    ranking.push({ candidate, likeness: compare(own, weighTerms(terms, spread, documents.size)) })
  }
  return ranking
    .filter(({ candidate }) => candidate !== shown)
    .toSorted((a, b) => b.likeness - a.likeness)
    .slice(0, SHOWN)
    .map(({ candidate }) => candidate)
}

async function countTerms({ name, description, readme }: InstalledPackage): Promise<Counts> {
  const text = `${name} ${description} ${readme === undefined ? '' : await readFile(readme.file, 'utf8')}`
  const counts = new Map<string, number>()
  const add = (term: string): unknown => counts.set(term, (counts.get(term) ?? 0) + 1)
  let before = ''
  for (const [word] of text.toLowerCase().matchAll(/\p{L}{3,}/gu)) {
    add(word)
    add(`${before} ${word}`)
    before = word
  }
  return counts
}

/** A term counts for more where it is frequent, and for less the more READMEs have it. The result has length 1. */
function weighTerms(terms: Counts, spread: Counts, total: number): Counts {
  const weights = new Map<string, number>()
  for (const [term, count] of terms) {
    weights.set(term, (1 + Math.log(count)) * Math.log(total / (spread.get(term) ?? total)))
  }
  const length = Math.hypot(...weights.values()) || 1
  return new Map([...weights].map(([term, weight]) => [term, weight / length]))
}

function compare(a: Counts, b: Counts): number {
  let sum = 0
  for (const [term, weight] of a) sum += weight * (b.get(term) ?? 0)
  return sum
}
