/** Directives by lower-case name. The value is the argument without its quotes, '' where there is none. */
export type Directives = ReadonlyMap<string, string>

const isTokenCode = (code: number): boolean =>
  (code >= 0x61 && code <= 0x7a) || // a-z
  (code >= 0x41 && code <= 0x5a) || // A-Z
  (code >= 0x30 && code <= 0x39) || // 0-9
  code === 0x2d || // -
  (code > 0x20 && code < 0x7f && "!#$%&'*+.^_`|~".includes(String.fromCharCode(code)))

/**
 * Reads Cache-Control (RFC 9111 §5.2), each line by itself, in one pass. It fails closed: whatever is no token separates
 * directives as a comma does, so that junk hides none (`no-store;x`, `max-age=60 private`), and a quote that is never
 * closed is junk. Nothing inside a closed string is a directive. Of a numeric directive that occurs twice the smaller
 * value counts (§4.2.1 asks for the first or for stale).
 */
export function parseCacheControl(lines: readonly string[]): Directives {
  const [line = ''] = lines
  const known = lines.length === 1 ? read.get(line) : undefined
  if (known !== undefined) return known
  const directives = new Map<string, string>()
  for (const each of lines) readLine(each, directives)
  if (lines.length === 1 && line.length <= MAX_KNOWN_LENGTH && read.size < MAX_KNOWN) read.set(line, directives)
  return directives
}

/** Lines that have been read: most apps have a handful. */
const read = new Map<string, Directives>()
const MAX_KNOWN = 200
const MAX_KNOWN_LENGTH = 200

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

function readLine(line: string, directives: Map<string, string>): void {
  let at = 0
  // Once a quote is never closed, no later one is either, or the parser would look for its end again and again.
  let lastQuote = line.length
  const skipString = (from: number): number => {
    const end = from < lastQuote ? endOfString(line, from) : undefined
    if (end === undefined) lastQuote = Math.min(lastQuote, from)
    return end ?? from + 1
  }
  while (at < line.length) {
    if (line[at] === '"') at = skipString(at)
    const start = at
    while (at < line.length && isTokenCode(line.charCodeAt(at))) at += 1
    if (at === start) {
      at += line[at] === '"' ? 0 : 1
      continue
    }
    const name = line.slice(start, at).toLowerCase()
    const equals = skipSpace(line, at)
    let argument = ''
    if (line[equals] === '=') {
      const begin = skipSpace(line, equals + 1)
      const end = line[begin] === '"' ? skipString(begin) : endOfToken(line, begin)
      argument = unquote(line.slice(begin, end))
      // No space belongs there: what stands behind one may be the argument, and a directive as well.
      at = begin === equals + 1 || line[begin] === '"' ? end : begin
    }
    const earlier = directives.get(name)
    directives.set(name, earlier === undefined ? argument : smaller(earlier, argument))
  }
}

const smaller = (one: string, other: string): string => (deltaMs(one) <= deltaMs(other) ? one : other)

function skipSpace(line: string, from: number): number {
  let at = from
  while (line[at] === ' ' || line[at] === '\t') at += 1
  return at
}

function endOfToken(line: string, from: number): number {
  let at = from
  while (at < line.length && isTokenCode(line.charCodeAt(at))) at += 1
  return at
}

/** One past the closing quote; undefined where none comes. */
function endOfString(line: string, from: number): number | undefined {
  for (let at = from + 1; at < line.length; at += 1) {
    if (line[at] === '\\') at += 1
    else if (line[at] === '"') return at + 1
  }
  return undefined
}

function unquote(argument: string): string {
  if (!argument.startsWith('"')) return argument
  return argument.slice(1, argument.endsWith('"') && argument.length > 1 ? -1 : undefined).replaceAll(/\\(.)/g, '$1')
}
