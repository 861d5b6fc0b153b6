import highlighter from 'highlight.js/lib/common'

import type { Catalogue } from './catalogue.ts'
import { escapeHtml } from './html.ts'

export interface HighlightedCode {
  readonly html: string
  /** What stands over the block: the language. */
  readonly caption: string
}

/** Under this relevance a guess says nothing. */
const CONFIDENT = 5

/** Highlights a block of code in the language that its author names, or else in the one that it looks most like. */
export function highlightCode(code: string, author: string | undefined, catalogue: Catalogue): HighlightedCode {
  const { html, caption } = author && highlighter.getLanguage(author) ? read(code, author) : guess(code)
  return { html: linkImports(html, catalogue), caption }
}

function read(code: string, language: string): HighlightedCode {
  return { html: highlighter.highlight(code, { language }).value, caption: language }
}

function guess(code: string): HighlightedCode {
  const { language, relevance, value } = highlighter.highlightAuto(code)
  return language !== undefined && relevance >= CONFIDENT
    ? { html: value, caption: `looks like ${language}` }
    : { html: escapeHtml(code), caption: 'text' }
}

const IMPORT = /((?:from|import|require)(?:<\/span>)?[ (]+<span class="hljs-string">(?:&#x27;|&quot;))([^<&]+)/g

/** A package that is imported in an example, and installed here, is a link to its page. */
function linkImports(code: string, catalogue: Catalogue): string {
  return code.replace(IMPORT, (whole, before: string, name: string) =>
    catalogue.has(name) ? `${before}<a href="/packages/${name}">${name}</a>` : whole,
  )
}
