/** Directives by lower-case name. The value is the argument without its quotes, '' where there is none. */
export type Directives = ReadonlyMap<string, string>

const isTokenCode = (code: number): boolean =>
  (code >= 0x61 && code <= 0x7a) || // a-z
  (code >= 0x41 && code <= 0x5a) || // A-Z
  (code >= 0x30 && code <= 0x39) || // 0-9
  code === 0x2d || // -
  (code > 0x20 && code < 0x7f && "!#$%&'*+.^_`|~".includes(String.fromCharCode(code)))

/**
 * Reads Cache-Control (RFC 9111 §5.2) in one pass over the string. It fails closed: junk behind a directive's name
 * does not hide the directive (`no-store;x` is no-store), and nothing inside a quoted string is one. Of a numeric
 * directive that occurs twice the smaller value counts (§4.2.1 asks for the first or for stale).
 */
export function parseCacheControl(value: string): Directives {
  const directives = new Map<string, string>()
  let at = 0
  while (at < value.length) {
    while (isSpace(value, at)) at += 1
    const start = at
    while (at < value.length && isTokenCode(value.charCodeAt(at))) at += 1
    const name = value.slice(start, at).toLowerCase()
    while (isSpace(value, at)) at += 1
    let argument = ''
    if (value[at] === '=') {
      at += 1
      while (isSpace(value, at)) at += 1
      const begin = at
      at = endOfArgument(value, at)
      argument = unquote(value.slice(begin, at))
    }
    if (name !== '') directives.set(name, merge(directives.get(name), argument))
    at = nextMember(value, at, start)
  }
  return directives
}

/** The delta-seconds of a directive in milliseconds: undefined where it is absent, 0 where it is no number (§4.2.1). */
export function directiveMs(directives: Directives, name: string): number | undefined {
  const argument = directives.get(name)
  return argument === undefined ? undefined : deltaMs(argument)
}

/** Values that do not fit are as good as infinite (RFC 9111 §1.2.2). */
const MAX_DELTA_SECONDS = 2 ** 31

export function deltaMs(argument: string): number {
  return /^\d+$/.test(argument) ? Math.min(Number(argument), MAX_DELTA_SECONDS) * 1000 : 0
}

function merge(earlier: string | undefined, argument: string): string {
  if (earlier === undefined) return argument
  return deltaMs(earlier) <= deltaMs(argument) ? earlier : argument
}

function isSpace(value: string, at: number): boolean {
  return value[at] === ' ' || value[at] === '\t'
}

function endOfArgument(value: string, from: number): number {
  if (value[from] === '"') return endOfString(value, from)
  let at = from
  while (at < value.length && value[at] !== ',' && value[at] !== '"' && !isSpace(value, at)) at += 1
  return at
}

/** One past the closing quote, or the end of the value where none comes. */
function endOfString(value: string, from: number): number {
  for (let at = from + 1; at < value.length; at += 1) {
    if (value[at] === '\\') at += 1
    else if (value[at] === '"') return at + 1
  }
  return value.length
}

function unquote(argument: string): string {
  if (!argument.startsWith('"')) return argument
  return argument.slice(1, argument.endsWith('"') && argument.length > 1 ? -1 : undefined).replaceAll(/\\(.)/g, '$1')
}

/** The place behind the next comma that stands outside a string. Always beyond `start`, so that parsing ends. */
function nextMember(value: string, from: number, start: number): number {
  let at = from
  while (at < value.length && value[at] !== ',') at = value[at] === '"' ? endOfString(value, at) : at + 1
  return Math.max(at, start) + 1
}
