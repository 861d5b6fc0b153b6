import sanitizeHtml from 'sanitize-html'

const HEADINGS = ['h1', 'h2', 'h3', 'h4', 'h5', 'h6'] as const

/**
 * Makes the HTML of a README safe to show: a README is whatever its author liked. No script, style or form, nothing
 * is loaded from elsewhere (a picture becomes its description), and links go where `resolve` says.
 */
export function sanitise(html: string, resolve: (href: string) => string | undefined): string {
  return sanitizeHtml(html, {
    allowedTags: [...sanitizeHtml.defaults.allowedTags, 'del', 'details', 'ins', 'summary'],
    allowedAttributes: {
      a: ['href', 'id', 'name', 'rel', 'title'],
      ol: ['start'],
      td: ['align', 'colspan', 'rowspan'],
      th: ['align', 'colspan', 'rowspan'],
      ...Object.fromEntries(HEADINGS.map((name) => [name, ['id']])),
    },
    allowedClasses: { code: ['hljs'], figcaption: ['language'], span: ['hljs-*', 'picture'] },
    allowedSchemes: ['http', 'https', 'mailto'],
    allowProtocolRelative: false,
    transformTags: {
      a: (tagName, { href, ...attribs }) => ({ tagName, attribs: { ...attribs, ...link(href && resolve(href)) } }),
      img: (_, { alt = '' }) => ({ tagName: 'span', attribs: { class: 'picture' }, text: alt || 'picture' }),
    },
  })
}

function link(href: string | undefined): Record<string, string> {
  if (!href) return {}
  return href.startsWith('/') || href.startsWith('#') ? { href } : { href, rel: 'nofollow noopener noreferrer' }
}
