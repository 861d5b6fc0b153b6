import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { readCatalogue } from '../../examples/site/src/catalogue.ts'
import { createSite } from '../../examples/site/src/site.ts'
import type { Site } from '../../examples/site/src/site.ts'
import { preferredLanguage } from '../../examples/site/src/texts.ts'

const README = `# Evil <b>one</b> & only

<script>alert(1)</script><img src=x onerror=alert(1)><a href="javascript:alert(1)" onclick="x()">here</a>
[there](javascript:alert(1)) [next](./docs/next.md) [friend](https://www.npmjs.com/package/@good/friend)
<form action="/me"><iframe src="https://example.com"></iframe></form><p style="position:fixed" class="x">text</p>

## Evil <b>one</b> & only

\`\`\`js
import friend from '@good/friend' // <script>alert(1)</script>
\`\`\`
`

let folder: string
let site: Site

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cacheback-site-'))
  await install('evil', { version: '1.0.0', description: '<script>', repository: 'github:someone/evil' }, README)
  await install('.pnpm/friend@2/node_modules/@good/friend', { version: '2.0.0', license: 'MIT' }, 'A [link](//x.y/z).')
  await install('.pnpm/friend@10/node_modules/@good/friend', { version: '10.0.0' }, undefined)
  await install('broken', undefined, undefined)
  site = createSite(readCatalogue(folder))
})

afterAll(async () => {
  await rm(folder, { recursive: true })
})

async function install(path: string, manifest: object | undefined, readme: string | undefined): Promise<void> {
  await mkdir(join(folder, path), { recursive: true })
  await writeFile(join(folder, path, 'package.json'), manifest === undefined ? '{' : JSON.stringify(manifest))
  if (readme !== undefined) await writeFile(join(folder, path, 'README.md'), readme)
}

test('pnpm, scopes and several versions: each package once, the newest', () => {
  expect([...site.catalogue.values()].map(({ name, version }) => `${name}@${version}`)).toEqual([
    '@good/friend@10.0.0',
    'evil@1.0.0',
  ])
})

test('what a README brings along does no harm', async () => {
  const { status, body } = await site.readme('evil')
  expect(status).toBe(200)
  expect(body).not.toMatch(/<script|<img|<iframe|<form|javascript:|onclick|onerror|style="|class="x"/)
  expect(body).toContain('<span class="picture">picture</span>')
  expect(body).toContain('&lt;script&gt;')
})

test('links lead to pages of this site where they can, and relative ones to the repository', async () => {
  const { body } = await site.readme('evil')
  expect(body).toContain('<a href="/packages/@good/friend">friend</a>')
  expect(body).toContain('<a href="/packages/@good/friend">@good/friend</a>')
  expect(body).toContain('<a href="https://github.com/someone/evil/blob/HEAD/docs/next.md" rel="nofollow')
})

test('headings get the anchors that GitHub gives them', async () => {
  const { body } = await site.readme('evil')
  expect(body).toContain('<h1 id="evil-one--only">')
  expect(body).toContain('<h2 id="evil-one--only-1">')
})

test('names, words and cookies are escaped', async () => {
  expect((await site.readme('<script>')).body).not.toContain('<script>')
  expect((await site.home()).body).not.toContain('<script>')
  expect((await site.search({ q: '"><script>' }, undefined)).body).not.toContain('<script>')
  expect((await site.me('visitor=%3Cscript%3E')).body).toContain('Hello, &lt;script&gt;')
})

test('the policy allows the style of the page and nothing else', async () => {
  const { headers, body } = await site.home()
  const style = /<style>([^]*)<\/style>/.exec(body)?.[1] ?? ''
  const digest = createHash('sha256').update(style).digest('base64')
  expect(headers['Content-Security-Policy']).toContain(`default-src 'none'; style-src 'sha256-${digest}'`)
})

test.each([
  [undefined, 'en'],
  ['de', 'de'],
  ['de-AT, en;q=0.8', 'de'],
  ['fr, en;q=0.3, de;q=0.7', 'de'],
  ['de;q=0, *', 'en'],
  ['constructor', 'en'],
])('Accept-Language: %s is answered in %s', (wanted, language) => {
  expect(preferredLanguage(wanted)).toBe(language)
})
