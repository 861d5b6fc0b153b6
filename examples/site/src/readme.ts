import { readFile } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'

import { Marked } from 'marked'
import type { Token, Tokens } from 'marked'

import type { Catalogue, InstalledPackage } from './catalogue.ts'
import { highlightCode } from './highlight.ts'
import type { HighlightedCode } from './highlight.ts'
import { escapeHtml, trusted } from './html.ts'
import type { Html } from './html.ts'
import { linkResolver } from './links.ts'
import { sanitise } from './sanitise.ts'

export interface Heading {
  readonly id: string
  readonly depth: number
  readonly text: string
}

export interface RenderedReadme {
  readonly body: Html
  readonly headings: readonly Heading[]
}

/** Markdown to safe, highlighted HTML with the headings for a table of contents. For a long README: real work. */
export async function renderReadme(shown: InstalledPackage, catalogue: Catalogue): Promise<RenderedReadme> {
  const markdown =
    shown.readme === undefined ? '*This package has no README.*' : await readFile(shown.readme.file, 'utf8')
  const headings: Heading[] = []
  const highlighted = new Map<Token, HighlightedCode>()
  const marked = createMarked(headings, highlighted)
  const tokens = marked.lexer(markdown)
  for (const token of codeBlocks(marked, tokens)) {
    // Highlighting blocks the process; between two blocks others get their turn. A cache hit needs no more than that.
    await setImmediate()
    highlighted.set(token, highlightCode(token.text, token.lang?.split(/[\s,{:]/, 1)[0] || undefined, catalogue))
  }
  return { body: trusted(sanitise(marked.parser(tokens), linkResolver(shown, catalogue))), headings }
}

function codeBlocks(marked: Marked, tokens: Token[]): Tokens.Code[] {
  const blocks: Tokens.Code[] = []
  void marked.walkTokens(tokens, (token) => {
    if (isCode(token)) blocks.push(token)
  })
  return blocks
}

const isCode = (token: Token): token is Tokens.Code => token.type === 'code'

function createMarked(headings: Heading[], highlighted: ReadonlyMap<Token, HighlightedCode>): Marked {
  return new Marked({
    gfm: true,
    renderer: {
      code(token) {
        const { html, caption } = highlighted.get(token) ?? { html: escapeHtml(token.text), caption: 'text' }
        const head = `<figcaption class="language">${escapeHtml(caption)}</figcaption>`
        return `<figure>${head}<pre><code class="hljs">${html}</code></pre></figure>\n`
      },
      checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
      heading({ tokens, depth }) {
        const text = this.parser.parseInline(tokens, this.parser.textRenderer).replaceAll(/<[^>]*>/g, '')
        const id = slug(text, headings)
        headings.push({ id, depth, text })
        return `<h${depth} id="${escapeHtml(id)}">${this.parser.parseInline(tokens)}</h${depth}>\n`
      },
    },
  })
}

/** The anchor that GitHub would make, since the links in a README expect it. */
function slug(text: string, headings: readonly Heading[]): string {
  const base = text
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(/\s/g, '-')
  const taken = new Set(headings.map((heading) => heading.id))
  let id = base
  for (let count = 1; taken.has(id); count++) id = `${base}-${count}`
  return id
}
