import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

const ROOT = new URL('../../', import.meta.url)
const SUITES = ['test/contract/scenarios/', 'test/security/', 'test/faults/']

/** Ids stand at the beginning of a string: alone in a table or a call, or before the title of a test. */
const written = SUITES.filter((suite) => existsSync(new URL(suite, ROOT)))
  .flatMap((suite) =>
    readdirSync(new URL(suite, ROOT), { recursive: true, encoding: 'utf8' }).map((file) => suite + file),
  )
  .filter((file) => file.endsWith('.ts'))
  .map((file) => readFileSync(new URL(file, ROOT), 'utf8'))
  .join('\n')
const ids = new Set(matches(written, /['"`]([A-Z]{2,}-\d{2,3})\b/g))

const PAGES: [file: string, heading: string, rows: number][] = [
  ['security.md', 'Attacks', 71],
  ['security-scenarios.md', '', 106],
  ['security-faults.md', '', 34],
]

describe.each(PAGES)('%s', (file, heading, count) => {
  const place = new URL(`docs/${file}`, ROOT)
  const page = existsSync(place) ? readFileSync(place, 'utf8') : ''
  const tables = heading === '' ? page : page.slice(page.indexOf(`\n## ${heading}\n`))
  const rows = tables
    .split('\n')
    .map((line) => /^\| (\d+) +\|(.*)\|$/.exec(line))
    .filter((row) => row !== null)

  test('has every row once, in order', () => {
    expect(rows.map(([, number]) => Number(number))).toEqual(Array.from({ length: count }, (_, i) => i + 1))
  })

  test('shows what each row says, or says why nothing does', () => {
    const unshown = rows.filter(
      ([, , text]) => !/\b[A-Z]{2,}-\d{2,3}\b|\.test\.ts`|cannot apply, because|not yet: /.test(text!),
    )
    expect(unshown.map(([, number]) => number)).toEqual([])
  })

  test('names tests that exist', () => {
    const named = matches(page, /\b([A-Z]{2,}-\d{2,3})\b/g).filter((id) => !/^(?:CVE|RFC|UTF|SHA)-/.test(id))
    expect(named.length).toBeGreaterThan(count / 4)
    expect(named.filter((id) => !ids.has(id))).toEqual([])
    const files = matches(page, /`([\w/-]+\.test\.ts)`/g)
    expect(files.filter((name) => !isThere(name))).toEqual([])
  })

  test('links to pages and headings that exist', () => {
    const links = matches(page, /\]\(([^)#]+\.md)(?:#[\w-]+)?\)/g)
    expect(links.filter((link) => !existsSync(new URL(link, place)))).toEqual([])
  })
})

test('every security scenario is named on the page', () => {
  const page = readFileSync(new URL('docs/security.md', ROOT), 'utf8')
  const here = readdirSync(new URL('.', import.meta.url), { encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map((name) => readFileSync(new URL(name, import.meta.url), 'utf8'))
    .join('\n')
  const own = matches(here, /['"`]([A-Z]{2,}-\d{2,3})\b/g)
  expect(own.length).toBeGreaterThan(50)
  expect(own.filter((id) => !page.includes(id))).toEqual([])
})

/** Tests of the core are named from its sources on. */
function isThere(name: string): boolean {
  return ['', 'packages/core/src/'].some((base) => existsSync(new URL(base + name, ROOT)))
}

function matches(text: string, pattern: RegExp): string[] {
  return [...new Set([...text.matchAll(pattern)].map(([, found]) => found ?? ''))]
}
