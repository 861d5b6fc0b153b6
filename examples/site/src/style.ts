import { createHash } from 'node:crypto'

import { trusted } from './html.ts'
import type { Html } from './html.ts'

const STYLE = `
:root { color-scheme: light dark; --line: light-dark(#ddd, #444); --soft: light-dark(#666, #aaa);
  --back: light-dark(#f6f6f4, #24262b); --link: light-dark(#0b5cad, #8ab8ee) }
body { font: 16px/1.6 system-ui, sans-serif; margin: 0 auto; max-width: 64rem; padding: 0 1rem 4rem }
a { color: var(--link) }
body > header { display: flex; gap: 1.5rem; align-items: baseline; border-bottom: 1px solid var(--line);
  padding: .8rem 0 }
body > header strong { flex: 1 }
.rendered, .soft { color: var(--soft); font-size: .85rem }
table { border-collapse: collapse; display: block; overflow-x: auto }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .8rem .3rem 0; text-align: left; vertical-align: top }
nav.contents ul { columns: 2; font-size: .9rem; list-style: none; padding: 0 }
nav.contents .depth-3 { padding-left: 1.2rem }
figure { margin: 1rem 0 }
figcaption { background: var(--line); border-radius: 6px 6px 0 0; display: inline-block; font-size: .75rem;
  padding: .1rem .6rem }
pre { background: var(--back); border: 1px solid var(--line); border-radius: 0 6px 6px; margin: 0; overflow-x: auto;
  padding: .8rem 1rem }
code { font: .875em/1.5 ui-monospace, monospace }
:not(pre) > code { background: var(--back); padding: .1em .3em }
.picture { border: 1px solid var(--line); border-radius: 4px; color: var(--soft); font-size: .75rem; padding: 0 .4rem }
.hljs-comment, .hljs-quote { color: var(--soft); font-style: italic }
.hljs-keyword, .hljs-selector-tag, .hljs-literal { color: light-dark(#a3264f, #f28fad) }
.hljs-string, .hljs-regexp, .hljs-addition { color: light-dark(#1f6f3a, #94d6a4) }
.hljs-number, .hljs-symbol, .hljs-built_in { color: light-dark(#8a4b00, #eebb77) }
.hljs-title, .hljs-section, .hljs-attr, .hljs-property { color: light-dark(#2a4fa8, #9db8ff) }
.hljs-string a { color: inherit }
`

export const STYLE_ELEMENT: Html = trusted(`<style>${STYLE}</style>`)

const digest = createHash('sha256').update(STYLE).digest('base64')

/** Nothing runs, nothing is loaded, nobody frames us. The style is allowed by its hash: a nonce would be cached. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy':
    `default-src 'none'; style-src 'sha256-${digest}'; form-action 'self'; base-uri 'none'; ` +
    `frame-ancestors 'none'`,
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
}
