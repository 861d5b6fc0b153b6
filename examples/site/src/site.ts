import { readCatalogue } from './catalogue.ts'
import type { Catalogue, InstalledPackage } from './catalogue.ts'
import { gatherFacts } from './facts.ts'
import { html } from './html.ts'
import type { Html } from './html.ts'
import { layPage, layReadme, laySearch, listPackages } from './layout.ts'
import { renderReadme } from './readme.ts'
import { findRelated } from './related.ts'
import { searchPackages } from './search.ts'
import { SECURITY_HEADERS } from './style.ts'
import { preferredLanguage, textsIn } from './texts.ts'
import type { Texts } from './texts.ts'

/** An answer that every framework knows how to send. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The whole site, as functions that know no framework and no cache. */
export interface Site {
  readonly catalogue: Catalogue
  home(): Promise<Answer>
  /** The README of a package, rendered. */
  readme(name: string): Promise<Answer>
  /** A package as JSON. */
  facts(name: string): Promise<Answer>
  search(query: { q?: unknown; page?: unknown }, acceptLanguage: string | undefined): Promise<Answer>
  /** A private page: it greets the visitor whom the cookie names. */
  me(cookie: string | undefined): Promise<Answer>
}

type Page = { title: string; main: Html; texts?: Texts; status?: number; headers?: Record<string, string> }

export function createSite(catalogue: Catalogue = readCatalogue()): Site {
  return {
    catalogue,
    home: () => answer(() => ({ title: `${catalogue.size} installed packages`, main: listPackages(catalogue) })),
    readme: async (name) => {
      const shown = catalogue.get(name)
      if (shown === undefined) return notFound(name)
      return answer(async () => {
        const readme = await renderReadme(shown, catalogue)
        return { title: name, main: layReadme(shown, readme, await findRelated(shown, catalogue)) }
      })
    },
    facts: async (name) => {
      const shown = catalogue.get(name)
      return shown === undefined ? json(404, { error: 'not installed' }) : json(200, await factsOf(shown))
    },
    search: ({ q, page }, acceptLanguage) => {
      const word = typeof q === 'string' ? q.trim().slice(0, 80) : ''
      const texts = textsIn(preferredLanguage(acceptLanguage))
      return answer(async () => ({
        title: texts.search,
        main: laySearch(word, await searchPackages(catalogue, word, toPage(page)), texts),
        texts,
        // The body depends on this header, and says so: a cache keeps one response for each language.
        headers: { 'Content-Language': texts.language, Vary: 'Accept-Language' },
      }))
    },
    me: (cookie) => {
      const visitor = readCookie(cookie, 'visitor')
      const main = html`<p>Hello, ${visitor ?? 'whoever you are'}. This page is yours alone: no cache keeps it.</p>`
      return answer(() => ({ title: 'Your page', main, headers: { 'Cache-Control': 'private' } }))
    },
  }
}

function notFound(name: string): Promise<Answer> {
  return answer(() => ({ title: 'Not installed', main: html`<p>There is no package “${name}” here.</p>`, status: 404 }))
}

async function answer(make: () => Page | Promise<Page>): Promise<Answer> {
  const startedAt = performance.now()
  const { title, main, texts, status = 200, headers = {} } = await make()
  const rendering = { at: new Date().toISOString(), took: (performance.now() - startedAt).toFixed(0) }
  return {
    status,
    headers: {
      ...SECURITY_HEADERS,
      'Content-Type': 'text/html; charset=utf-8',
      'X-Rendered': `${rendering.at} in ${rendering.took} ms`,
      ...headers,
    },
    body: layPage(title, main, rendering, texts),
  }
}

async function factsOf(shown: InstalledPackage): Promise<object> {
  return { ...(await gatherFacts(shown)), gatheredAt: new Date().toISOString() }
}

function json(status: number, value: unknown): Answer {
  return {
    status,
    headers: { ...SECURITY_HEADERS, 'Content-Type': 'application/json; charset=utf-8' },
    body: `${JSON.stringify(value, null, 2)}\n`,
  }
}

function toPage(page: unknown): number {
  const number = Number(page)
  return Number.isSafeInteger(number) && number > 0 ? number : 1
}

function readCookie(cookies: string | undefined, name: string): string | undefined {
  const pair = cookies?.split(/;\s*/).find((one) => one.startsWith(`${name}=`))
  try {
    return pair && decodeURIComponent(pair.slice(name.length + 1)).slice(0, 80)
  } catch {
    return undefined
  }
}
