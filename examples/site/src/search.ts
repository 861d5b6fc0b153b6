import { readFile } from 'node:fs/promises'

import type { Catalogue, InstalledPackage } from './catalogue.ts'

export interface SearchHit {
  readonly found: InstalledPackage
  readonly mentions: number
  readonly excerpt: string
}

export interface SearchResult {
  readonly hits: readonly SearchHit[]
  readonly total: number
  readonly page: number
  readonly pages: number
}

const PAGE_SIZE = 10

/** Reads every README for a word. There is no index: what makes this quick is the cache before it. */
export async function searchPackages(catalogue: Catalogue, word: string, page: number): Promise<SearchResult> {
  const needle = word.trim().toLowerCase()
  const all = needle === '' ? [] : await Promise.all([...catalogue.values()].map((found) => look(found, needle)))
  const hits = all.filter((hit) => hit.mentions > 0).toSorted((a, b) => b.mentions - a.mentions)
  const pages = Math.max(1, Math.ceil(hits.length / PAGE_SIZE))
  const shown = Math.min(page, pages)
  return { hits: hits.slice((shown - 1) * PAGE_SIZE, shown * PAGE_SIZE), total: hits.length, page: shown, pages }
}

async function look(found: InstalledPackage, needle: string): Promise<SearchHit> {
  const readme = found.readme === undefined ? '' : await readFile(found.readme.file, 'utf8')
  const text = `${found.name} ${found.description} ${readme}`
  const parts = text.toLowerCase().split(needle)
  const at = parts[0]?.length ?? 0
  const excerpt = text.slice(Math.max(0, at - 60), at + needle.length + 100).replaceAll(/\s+/g, ' ')
  return { found, mentions: parts.length - 1, excerpt }
}
