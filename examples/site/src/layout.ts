import type { Catalogue, InstalledPackage } from './catalogue.ts'
import { html } from './html.ts'
import type { Html } from './html.ts'
import type { Heading, RenderedReadme } from './readme.ts'
import type { SearchResult } from './search.ts'
import { STYLE_ELEMENT } from './style.ts'
import { textsIn } from './texts.ts'
import type { Texts } from './texts.ts'

export interface Rendering {
  readonly at: string
  /** Milliseconds. */
  readonly took: string
}

export function layPage(title: string, main: Html, rendering: Rendering, texts: Texts = textsIn('en')): string {
  const page = html`<!doctype html>
    <html lang="${texts.language}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        ${STYLE_ELEMENT}
      </head>
      <body>
        <header><strong>${title}</strong><a href="/">${texts.packages}</a><a href="/search">${texts.search}</a></header>
        <p class="rendered">${texts.rendered(rendering.at, rendering.took)}</p>
        ${main}
      </body>
    </html>`
  return page.html
}

export function listPackages(catalogue: Catalogue): Html {
  const rows = [...catalogue.values()].map(
    ({ name, version, description, readme }) =>
      html`<tr>
        <td><a href="/packages/${name}">${name}</a></td>
        <td>${version}</td>
        <td>${readme === undefined ? '–' : `${(readme.bytes / 1024).toFixed(1)} KiB`}</td>
        <td>${description}</td>
      </tr>`,
  )
  return html`<table>
    <tr>
      <th>Package</th>
      <th>Version</th>
      <th>README</th>
      <th>Description</th>
    </tr>
    ${rows}
  </table>`
}

export function layReadme(
  shown: InstalledPackage,
  { body, headings }: RenderedReadme,
  related: readonly InstalledPackage[],
): Html {
  const others = related.map(({ name }) => html` <a href="/packages/${name}">${name}</a>`)
  return html`<p class="soft">
      ${shown.version}, ${shown.license} · <a href="/api/packages/${shown.name}">as JSON</a> · READMEs like this
      one:${others}
    </p>
    ${contents(headings)}
    <main>${body}</main>`
}

function contents(headings: readonly Heading[]): Html {
  const entries = headings
    .filter(({ depth }) => depth === 2 || depth === 3)
    .map(({ depth, id, text }) => html`<li class="depth-${depth}"><a href="#${id}">${text}</a></li>`)
  return entries.length < 2
    ? html``
    : html`<nav class="contents">
        <ul>
          ${entries}
        </ul>
      </nav>`
}

export function laySearch(word: string, { hits, total, page, pages }: SearchResult, texts: Texts): Html {
  const form = html`<form action="/search">
    <p>
      <input name="q" value="${word}" size="40" placeholder="${texts.placeholder}" /> <button>${texts.search}</button>
    </p>
  </form>`
  if (word === '') return form
  const rows = hits.map(
    ({ found, mentions, excerpt }) =>
      html`<li>
        <a href="/packages/${found.name}">${found.name}</a> <span class="soft">${texts.mentions(mentions)}</span><br />
        … ${excerpt} …
      </li>`,
  )
  const turn = (to: number, text: string): Html =>
    to < 1 || to > pages ? html`` : html` <a href="/search?q=${encodeURIComponent(word)}&page=${to}">${text}</a>`
  return html`${form}
    <p>${texts.found(total, word)}, ${texts.page(page, pages)}</p>
    <ul>
      ${rows}
    </ul>
    <p>${turn(page - 1, texts.previous)}${turn(page + 1, texts.next)}</p>`
}
