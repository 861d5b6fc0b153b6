import type { IncomingHttpHeaders } from 'node:http'

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CookieRule, QueryRule } from '../options.ts'
import { resolveRules } from '../settings.ts'
import { parseCacheControl } from './cache-control.ts'
import { matchesEtag } from './conditions.ts'
import { readCookies } from './cookies.ts'
import { readDemands } from './demands.ts'
import { directivesOf } from './directives.ts'
import type { RequestHead } from './fields.ts'
import { parseHttpDate } from './http-date.ts'
import { type SearchRule, canonicalQuery, parseSearchRule } from './no-vary-search.ts'
import { hostsOf, originFields } from './origin.ts'
import { hidesQuery, keyedQuery } from './query.ts'
import { type ByteRange, readRanges } from './ranges.ts'
import { readSelector } from './selector.ts'
import { tagsOf } from './tags.ts'
import { readVary, selectingOf } from './vary.ts'

// What each parser reads, beside a plainer way to say the same.

const NOW = Date.UTC(2031, 2, 5, 6, 7, 8)
const RULES = resolveRules([{ targetedCacheControl: ['CDN-Cache-Control'] }])

const request = (headers: IncomingHttpHeaders): RequestHead => ({
  method: 'GET',
  secure: false,
  target: '/',
  rewritten: undefined,
  headers: { host: 'a.test', ...headers },
  rawHeaders: Object.entries(headers).flat() as string[],
})

/** Strings that are mostly made of what parsers look for. */
const hostile = fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[ab=&;,?"0-9 -]*$/))

const word = fc.stringMatching(/^[a-z][a-z-]{0,5}$/)
const sortedByName = (pairs: readonly [string, string][]): [string, string][] =>
  pairs.toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)))

/** Strings that are closed become nothing; then a word counts that touches no token, and is no argument. */
const stands = (line: string, name: string): boolean => {
  const outside = line.replaceAll(/"(?:[^"\\]|\\[^])*"/g, '"')
  return new RegExp(`(?<![!#$%&'*+.^_\`|~0-9a-z=-])${name}(?![!#$%&'*+.^_\`|~0-9a-z-])`, 'i').test(outside)
}

describe('Cache-Control', () => {
  test('is what a split at commas and equals signs says, where it is simple', () => {
    const directive = fc.tuple(word, fc.option(fc.stringMatching(/^[a-z0-9]{1,6}$/)))
    const separator = fc.constantFrom(',', ', ', ' , ', ',,', '\t,')
    const line = fc.tuple(fc.uniqueArray(directive, { selector: ([name]) => name }), separator)
    fc.assert(
      fc.property(line, ([directives, between]) => {
        const value = directives.map(([name, argument]) => (argument === null ? name : `${name}=${argument}`))
        const naive = value
          .join(between)
          .split(',')
          .map((one) => one.trim())
        const expected = naive.filter((one) => one !== '').map((one) => [...one.split('='), ''].slice(0, 2))
        expect([...parseCacheControl([value.join(between)])]).toEqual(expected)
      }),
    )
  })

  // prettier-ignore
  const junk = fc.constantFrom(
    '"', '"', '\\', '\\"', ',', ';', '=', '= ', ' =', ' ', '\t', '/', '(', '@', 'é', '\u0000', '"a"', '"a, b"', 'x',
    'x-', 'max-age', 'max-age=60', 'foo="', 'foo=', 's-maxage',
  )
  const banned = fc.constantFrom('private', 'no-store', 'Private', 'NO-STORE')
  const line = fc.array(fc.oneof({ weight: 3, arbitrary: junk }, { weight: 1, arbitrary: banned }), { maxLength: 12 })

  test.each(['private', 'no-store'])('fails closed: %s outside closed strings is found in any junk', (name) => {
    fc.assert(
      fc.property(line, (pieces) => {
        const value = pieces.join('')
        fc.pre(stands(value, name))
        expect(parseCacheControl([value]).has(name)).toBe(true)
      }),
      { numRuns: 3000 },
    )
  })

  test.each(['private', 'no-store'])('%s inside a closed string is none', (name) => {
    fc.assert(
      fc.property(fc.stringMatching(/^[ a-z,=;]{0,9}$/), (text) => {
        expect([...parseCacheControl([`foo="${text}, ${name}, ${text}"`]).keys()]).toEqual(['foo'])
      }),
    )
  })
})

/** The three spellings of a moment, but for the day of the week. */
const spellings = (at: number): string[] => {
  const [, day, month, year, time] = new Date(at).toUTCString().split(/,? /) as [string, string, string, string, string]
  return [
    `${day} ${month} ${year} ${time} GMT`,
    `${day}-${month}-${year.slice(2)} ${time} GMT`,
    `${month} ${day} ${time} ${year}`,
    `${month} ${day.replace(/^0/, ' ')} ${time} ${year}`,
  ].map((one) => one.toLowerCase())
}

describe('an HTTP-date', () => {
  const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
  const moment = fc
    .date({ min: new Date(Date.UTC(1990, 0)), max: new Date(Date.UTC(2070, 0)), noInvalidDate: true })
    .map((date) => Math.floor(date.getTime() / 1000) * 1000)

  test('is read in each of its spellings as Date writes it', () => {
    fc.assert(
      fc.property(moment, (at) => {
        const day = DAYS[new Date(at).getUTCDay()]!
        const [fixdate, rfc850, , asctime] = spellings(at) as [string, string, string, string]
        expect(parseHttpDate(new Date(at).toUTCString(), NOW)).toBe(at)
        expect(parseHttpDate(`${day.slice(0, 3)}, ${fixdate}`, NOW)).toBe(at)
        expect(parseHttpDate(`${day}, ${rfc850}`, NOW)).toBe(at)
        expect(parseHttpDate(`${day.slice(0, 3)} ${asctime}`, NOW)).toBe(at)
      }),
    )
  })

  test('is nothing else: what is read is a spelling of what it is read as', () => {
    const [fixdate, rfc850, asctime] = [
      'Sun, 06 Nov 1994 08:49:37 GMT',
      'Sunday, 06-Nov-94 08:49:37 GMT',
      'Sun Nov  6 08:49:37 1994',
    ]
    const slip = fc.tuple(fc.nat(30), fc.nat(2), fc.stringMatching(/^[ 0-9,:+GMTZaundovec\t-]?$/))
    fc.assert(
      fc.property(fc.constantFrom(fixdate, rfc850, asctime), fc.array(slip, { maxLength: 2 }), (date, slips) => {
        const value = slips.reduce((text, [at, gone, put]) => text.slice(0, at) + put + text.slice(at + gone), date)
        const read = parseHttpDate(value, NOW)
        // A leap second is the second after.
        fc.pre(read !== undefined && !value.includes(':60'))
        expect(spellings(read)).toContain(value.toLowerCase().replace(/^[a-z]+,? /, ''))
      }),
      { numRuns: 2000 },
    )
  })
})

const writtenTag = ([isWeak, opaque]: readonly [boolean, string]): string => `${isWeak ? 'W/' : ''}"${opaque}"`

describe('entity tags', () => {
  const tag = fc.tuple(fc.boolean(), fc.stringMatching(/^[a-c, ]{0,3}$/))

  test('match where one of the list is the same but for its weakness', () => {
    fc.assert(
      fc.property(fc.array(tag, { maxLength: 6 }), tag, fc.constantFrom(',', ', ', ' ,, '), (list, one, between) => {
        const expected = list.some(([, opaque]) => opaque === one[1])
        expect(matchesEtag(list.map(writtenTag).join(between), writtenTag(one))).toBe(expected)
      }),
    )
  })
})

const writtenSpec = ([first, last]: readonly [number | null, number | null]): string => `${first ?? ''}-${last ?? ''}`

const bytesOf = (ranges: readonly ByteRange[]): number[][] =>
  ranges.map(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i))

describe('ranges', () => {
  const spec = fc.tuple(fc.option(fc.nat(14), { freq: 3 }), fc.option(fc.nat(14), { freq: 3 }))

  test('are the bytes that a count one by one says', () => {
    fc.assert(
      fc.property(fc.nat(12), fc.array(spec, { minLength: 1, maxLength: 9 }), (size, specs) => {
        const all = Array.from({ length: size }, (_, byte) => byte)
        const asked = specs.map(([first, last]) =>
          all.filter((byte) => (first === null ? byte >= size - (last ?? 0) : byte >= first && byte <= (last ?? size))),
        )
        const isMalformed = specs.some(([first, last]) =>
          first === null || last === null ? first === last : last < first,
        )
        const wanted = asked.filter((bytes) => bytes.length > 0)
        const isIgnored = isMalformed || specs.length > 8 || wanted.flat().length > size
        const read = readRanges(`bytes=${specs.map(writtenSpec).join(', ')}`, size)
        const seen = Array.isArray(read) ? bytesOf(read as ByteRange[]) : read
        expect(seen).toEqual(isIgnored ? undefined : wanted.length === 0 ? 'unsatisfiable' : wanted)
      }),
      { numRuns: 2000 },
    )
  })

  test('lie in the body, and are not more than it, whatever is asked', () => {
    fc.assert(
      fc.property(hostile, fc.nat(20), (text, size) => {
        const read = readRanges(`bytes=${text}`, size)
        for (const [first, last] of Array.isArray(read) ? (read as ByteRange[]) : []) {
          expect(Number.isInteger(first) && Number.isInteger(last) && first >= 0 && first <= last && last < size).toBe(
            true,
          )
        }
        expect(Array.isArray(read) ? bytesOf(read as ByteRange[]).flat().length : 0).toBeLessThanOrEqual(size)
      }),
    )
  })
})

const parameter = fc.tuple(
  fc.constantFrom('a', 'b', 'c', 'page', '', '?a'),
  fc.constantFrom('', '1', '2', 'x+y', '%41', 'a=b'),
)
const search = fc
  .array(parameter, { maxLength: 6 })
  .map((pairs) => (pairs.length === 0 ? '' : `?${pairs.map(([name, value]) => `${name}=${value}`).join('&')}`))
const names: fc.Arbitrary<string[]> = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'page'), { maxLength: 3 })
const pairsOf = (query: string): [string, string][] => [...new URLSearchParams(query)]

const partsOf = (text: string): string[] => text.slice(1).split('&').toSorted()

describe('a query', () => {
  const rule = fc.oneof<fc.Arbitrary<QueryRule>[]>(
    names,
    names.map((ignore) => ({ ignore })),
    fc.boolean(),
  )

  test('keeps the parameters that URLSearchParams finds, as the rule has them', () => {
    fc.assert(
      fc.property(names, search, (list, query) => {
        const all = pairsOf(query)
        const named = all.filter(([name]) => list.includes(name))
        expect(pairsOf(keyedQuery(list, query))).toEqual(sortedByName(named))
        const others = all.filter(([name]) => !list.includes(name))
        expect(pairsOf(keyedQuery({ ignore: list }, query))).toEqual(others)
      }),
    )
  })

  test('is keyed as it is keyed: the rule applied twice is the rule', () => {
    fc.assert(
      fc.property(
        rule,
        fc.oneof(
          search,
          hostile.map((text) => `?${text}`),
        ),
        (one, query) => {
          const keyed = keyedQuery(one, query)
          expect(keyedQuery(one, keyed)).toBe(keyed)
        },
      ),
    )
  })

  test('that hides nothing loses nothing', () => {
    fc.assert(
      fc.property(
        rule,
        fc.oneof(
          search,
          hostile.map((text) => `?${text}`),
        ),
        (one, query) => {
          const keyed = keyedQuery(one, query)
          fc.pre(!hidesQuery(one, query, keyed))
          expect(partsOf(keyed)).toEqual(partsOf(query))
        },
      ),
    )
  })
})

const isNothing = ({ ignoresOrder, names: list, isExcept }: SearchRule): boolean =>
  !ignoresOrder && list.length === 0 && !isExcept

const writtenRule = ({ ignoresOrder, names: list, isExcept }: SearchRule): string => {
  const strings = `(${list.map((name) => `"${name}"`).join(' ')})`
  return `${isExcept ? 'except' : 'params'}=${strings}${ignoresOrder ? ', key-order' : ''}`
}

const differing = ({ ignoresOrder, names: list, isExcept }: SearchRule, query: string): [string, string][] => {
  const kept = pairsOf(query).filter(([name]) => (isExcept ? list.includes(name) : !list.includes(name)))
  return ignoresOrder ? sortedByName(kept) : kept
}

describe('No-Vary-Search', () => {
  const rule = fc.record({ ignoresOrder: fc.boolean(), names, isExcept: fc.boolean() })

  test('is read back as it is written', () => {
    fc.assert(
      fc.property(rule, (one) => {
        expect(parseSearchRule(writtenRule(one))).toEqual(isNothing(one) ? undefined : one)
      }),
    )
  })

  test('calls two queries the same where the draft does, pair by pair', () => {
    fc.assert(
      fc.property(rule, search, search, (one, a, b) => {
        const isSame = JSON.stringify(differing(one, a)) === JSON.stringify(differing(one, b))
        expect(canonicalQuery(one, a) === canonicalQuery(one, b)).toBe(isSame)
      }),
    )
  })

  test('has one spelling for a query: the canonical one is its own', () => {
    fc.assert(
      fc.property(rule, hostile, (one, text) => {
        const canonical = canonicalQuery(one, `?${text}`)
        expect(canonicalQuery(one, canonical)).toBe(canonical)
      }),
    )
  })
})

const spelled = (name: string, isUpper: boolean): string => (isUpper ? name.toUpperCase() : name)

const selectingKey = (value: string): string => JSON.stringify(selectingOf(['accept'], request({ accept: value })))

describe('Vary', () => {
  test('names what a split at commas names, in any case and order', () => {
    const lines = fc.array(fc.array(fc.tuple(word, fc.boolean()), { maxLength: 4 }), { maxLength: 3 })
    fc.assert(
      fc.property(lines, (list) => {
        const fields = list.flatMap((line) => [
          'Vary',
          line.map(([name, isUpper]) => spelled(name, isUpper)).join(' , '),
        ])
        const expected = new Set(list.flat().map(([name]) => name))
        for (const keyed of ['cookie', 'host']) expected.delete(keyed)
        expect(readVary(fields, RULES)).toEqual({ names: [...expected].toSorted() })
      }),
    )
  })

  test('with a * anywhere is not stored', () => {
    fc.assert(
      fc.property(fc.array(word), fc.array(word), (before, after) => {
        expect(readVary(['Vary', [...before, ' * ', ...after].join()], RULES)).toEqual({ reason: 'vary-any' })
      }),
    )
  })

  test('compares lists by their members, and tells apart what differs in one', () => {
    const members = fc.array(fc.constantFrom('a', 'b', 'ab', 'en;q=1', '"a', 'b"'), { maxLength: 3 })
    fc.assert(
      fc.property(members, members, (list, otherList) => {
        const [one, other] = [list.join(' ,\t'), otherList.join(',')]
        // What is quoted may hold commas and spaces that count.
        const isQuoted = (one + other).includes('"')
        const isSame = isQuoted ? one === other : list.join() === otherList.join()
        expect(selectingKey(one) === selectingKey(other)).toBe(isSame)
      }),
    )
  })
})

describe('tags', () => {
  const tags = fc.array(fc.stringMatching(/^[a-z0-9:_-]{1,6}$/), { maxLength: 5 })

  test('are what splits at commas and spaces say, and the strings of a list', () => {
    fc.assert(
      fc.property(tags, tags, tags, (one, two, three) => {
        const groups = three.map((tag) => `"${tag}"`).join(', ')
        const fields = ['Cache-Tag', one.join(' ,'), 'Surrogate-Key', two.join('  '), 'Cache-Groups', groups]
        expect(tagsOf(fields)).toEqual([...one, ...two, ...three])
      }),
    )
  })
})

const cookieHeader = (pairs: readonly [string, string][], between: string): string =>
  pairs.map(([name, value]) => `${name}=${value}`).join(between)

describe('cookies', () => {
  const pair = fc.tuple(fc.constantFrom('a', 'b', 'sid', '_ga'), fc.stringMatching(/^[a-z0-9=]{0,4}$/))

  test('are keyed by name, and bypass by name, as a list of pairs says', () => {
    const between = fc.constantFrom('; ', ';', ' ; ')
    fc.assert(
      fc.property(fc.array(pair, { minLength: 1 }), names, between, (pairs, list, separator) => {
        const value = cookieHeader(pairs, separator)
        const named = pairs.filter(([name]) => list.includes(name))
        const keyed = cookieHeader(sortedByName(named), '; ')
        const isWhole = keyed === value
        expect(readCookies({ key: list }, value)).toEqual({ bypass: false, keyed, hides: !isWhole })
        expect(readCookies({ bypass: list }, value).bypass).toBe(named.length > 0)
      }),
    )
  })

  test('that are keyed are keyed again alike', () => {
    const rule: CookieRule = { key: ['b', 'a'] }
    fc.assert(
      fc.property(hostile, (text) => {
        const { keyed } = readCookies(rule, text)
        expect(readCookies(rule, keyed).keyed).toBe(keyed)
      }),
    )
  })
})

describe('Forwarded', () => {
  const value = fc.stringMatching(/^[a-z0-9.]{1,6}$/)
  const pair = fc.tuple(fc.constantFrom('for', 'by', 'host', 'proto', 'Host'), value, fc.boolean())
  type Pair = [name: string, text: string, isQuoted: boolean]
  const written = (elements: readonly Pair[][]): string =>
    elements
      .map((pairs) => pairs.map(([name, text, isQuoted]) => `${name}=${isQuoted ? `"${text}"` : text}`).join(';'))
      .join(', ')

  test('keeps host and proto, and nobody’s address', () => {
    fc.assert(
      fc.property(fc.array(fc.array(pair, { minLength: 1 }), { minLength: 1, maxLength: 4 }), (elements) => {
        const kept = elements
          .map((pairs) => pairs.filter(([name]) => name !== 'for' && name !== 'by'))
          .map((pairs) => pairs.map(([name, text, isQuoted]): Pair => [name.toLowerCase(), text, isQuoted]))
        const isThere = kept.some((pairs) => pairs.length > 0)
        // An element of which nothing is left still counts: apps read the first, or the last.
        const expected = kept.map((pairs) => (pairs.length === 0 ? 'for=unknown' : written([pairs]))).join(', ')
        const origin = originFields(request({ forwarded: written(elements) }))
        expect(origin).toEqual(isThere ? ['forwarded', expected] : [])
        const hosts = kept.flat().flatMap(([name, text]) => (name === 'host' ? [text] : []))
        expect(hostsOf('a', origin)).toEqual([...new Set(['a', ...hosts])])
      }),
    )
  })
})

describe('CDN-Cache-Control', () => {
  const argument = fc.oneof(fc.constant(undefined), fc.nat(1_000_000))

  test('is the dictionary that was written', () => {
    const directives = fc.uniqueArray(fc.tuple(word, argument), { selector: ([name]) => name, minLength: 1 })
    fc.assert(
      fc.property(directives, (list) => {
        const value = list.map(([name, number]) => (number === undefined ? name : `${name}=${number}`)).join(', ')
        const expected = list.map(([name, number]) => [name, number === undefined ? '' : String(number)])
        const read = directivesOf(['Cache-Control', 'no-store', 'cdn-cache-control', value], RULES)
        expect({ ...read, directives: [...read.directives] }).toEqual({ directives: expected, isTargeted: true })
      }),
    )
  })
})

describe('a client’s demands', () => {
  test('are those of its Cache-Control, and of Pragma only without one', () => {
    const value = fc.option(fc.array(fc.constantFrom('no-store', 'only-if-cached', 'no-cache', 'max-age=0')), {
      nil: undefined,
    })
    fc.assert(
      fc.property(value, value, (cacheControl, pragma) => {
        const demands = readDemands({ 'cache-control': cacheControl?.join(), pragma: pragma?.join() })
        const said = cacheControl ?? (pragma?.includes('no-cache') === true ? ['no-cache'] : undefined)
        expect(demands?.noStore).toBe(said?.includes('no-store'))
        expect(demands?.onlyIfCached).toBe(said?.includes('only-if-cached'))
        expect(demands?.directives.has('no-cache')).toBe(said?.includes('no-cache'))
      }),
    )
  })
})

describe('the URL of a selector', () => {
  test('is host and path as URL has them, where URL changes nothing', () => {
    const path = fc
      .array(fc.stringMatching(/^[a-z0-9_~-]{1,5}$/), { maxLength: 3 })
      .map((parts) => `/${parts.join('/')}`)
    const host = fc.stringMatching(/^[A-Z][a-z]{1,5}\.test(:8[0-9]{3})?$/)
    fc.assert(
      fc.property(fc.constantFrom('http', 'https', 'HTTP'), host, path, search, (scheme, site, where, query) => {
        const url = new URL(`${scheme}://${site}${where}${query}`)
        expect(readSelector({ url: `${scheme}://${site}${where}${query}` })).toEqual({
          kind: 'url',
          host: url.host,
          path: url.pathname + url.search,
        })
      }),
    )
  })
})
