/** Text that is HTML already. Everything else is escaped where it enters a page. */
export interface Html {
  readonly html: string
}

type Value = Html | string | number | undefined | readonly Html[]

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character)
}

/** Vouches for text that is HTML already: a sanitiser's output, or our own. */
export function trusted(text: string): Html {
  return { html: text }
}

/** A template of HTML: what is put into it is escaped, unless it is Html itself. */
export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Html {
  return trusted(strings.reduce((page, text, index) => page + show(values[index - 1]) + text))
}

function show(value: Value): string {
  if (value === undefined) return ''
  if (typeof value === 'string' || typeof value === 'number') return escapeHtml(String(value))
  return 'html' in value ? value.html : value.map((part) => part.html).join('')
}
