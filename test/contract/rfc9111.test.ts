import { createCacheback } from '@cacheback/core'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { expect, test } from 'vitest'

const ROOT = new URL('../../', import.meta.url)
const SCENARIOS = new URL('test/contract/scenarios/', ROOT)
const page = readFileSync(new URL('docs/rfc9111.md', ROOT), 'utf8')
const [clauses] = page.split('\n## Deliberate readings\n', 1) as [string]

/** Scenarios are also made in loops, from tables that begin with their ids. */
const written = readdirSync(SCENARIOS)
  .map((file) => readFileSync(new URL(file, SCENARIOS), 'utf8'))
  .join('\n')
const scenarios = new Set(matches(written, /['"`]([A-Z]+-\d{2})['"`]/g))

/** What the page says in bold code: names of options. */
const options = matches(page, /\*\*`([^`]+)`\*\*/g)
const rows = clauses
  .split('\n')
  .filter((line) => line.startsWith('|') && !/^\| (?:clause\s|---)/.test(line))
  .map((line) => line.split(' | '))

test('names scenarios that exist', () => {
  const named = matches(page, /\b([A-Z]{2,}-\d{2})\b/g)
  expect(named.length).toBeGreaterThan(200)
  expect(named.filter((id) => !scenarios.has(id))).toEqual([])
})

test('names options that exist', () => {
  expect(options.length).toBeGreaterThan(20)
  for (const name of options) expect(() => createCacheback({ [name]: undefined }), name).not.toThrow()
})

test('names tests and sources that exist', () => {
  const files = matches(page, /`([\w/-]+(?:\.\w+)*\.ts)`/g)
  expect(files.length).toBeGreaterThan(5)
  expect(files.filter((file) => !existsSync(new URL(`packages/core/src/${file}`, ROOT)))).toEqual([])
})

test('links to pages and headings that exist', () => {
  const links = matches(page, /\]\(([^)#]*\.md)?(?:#[\w-]+)?\)/g).filter((file) => file !== '')
  expect(links.filter((file) => !existsSync(new URL(`docs/${file}`, ROOT)))).toEqual([])
  const headings = matches(page, /^#+ (.+)$/gm).map((text) =>
    text
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  )
  expect(matches(page, /\]\(#([\w-]+)\)/g).filter((anchor) => !headings.includes(anchor))).toEqual([])
})

test('shows what it says of each clause, or says why it is not done', () => {
  expect(rows.length).toBeGreaterThan(100)
  const shown = /\b[A-Z]{2,}-\d{2}\b|\.test\.ts`/
  const unshown = rows.filter(
    ([, says, by]) => !shown.test(by ?? '') && !/_not done, because_|does not apply/.test(says ?? ''),
  )
  expect(unshown.map(([clause]) => clause)).toEqual([])
})

function matches(text: string, pattern: RegExp): string[] {
  return [...new Set([...text.matchAll(pattern)].map(([, found]) => found ?? ''))]
}
