// What only one visitor, or only one request, has sent carries his number, so that it is found wherever it turns up.

export interface Owner {
  readonly visitor: number
  readonly request: number
}

/** A value that a visitor sends with each of his requests: his cookie, his token, his async context. */
export const ofVisitor = (visitor: number, what: string): string => `mk-v${visitor}-${what}`
/** A value that belongs to one request alone. */
export const ofRequest = (request: number, what: string): string => `mk-q${request}-${what}`
export const addressOf = (visitor: number): string => `10.77.0.${visitor}`

/** The request by which a render was caused, by what its handler saw. */
export const requestOf = (marker: string | undefined): number | undefined =>
  marker === undefined ? undefined : Number(/^mk-q(\d+)-/.exec(marker)?.[1])

/** The first thing in a text that only somebody else has sent. */
export function findForeign(text: string, { visitor, request }: Owner): string | undefined {
  for (const [marker, kind, number] of text.matchAll(/mk-([vq])(\d+)-[a-z]*|10\.77\.0\.(\d+)/g)) {
    const own = kind === 'q' ? request : visitor
    const found = kind === undefined ? marker.slice(marker.lastIndexOf('.') + 1) : number
    if (Number(found) !== own) return marker
  }
  return undefined
}

/** Whether a text holds anything that only one visitor or one request has sent. */
export const isPersonal = (text: string): boolean => findForeign(text, { visitor: -1, request: -1 }) !== undefined
