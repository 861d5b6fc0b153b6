import type { RequestHead } from './fields.ts'
import { requestValue } from './fields.ts'

/** Fields from which an app behind a proxy learns its own origin. They are in every key, and a refresh carries them. */
export const ORIGIN_FIELDS: readonly string[] = [
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-scheme',
  'x-forwarded-ssl',
  'x-original-host',
]

/** The origin fields that a request carries, and of Forwarded (RFC 7239) what is about the origin: name, value, … */
export function originFields(request: RequestHead): string[] {
  const fields: string[] = []
  for (const name of ORIGIN_FIELDS) {
    if (request.headers[name] !== undefined) fields.push(name, requestValue(request, name) ?? '')
  }
  const forwarded = requestValue(request, 'forwarded')
  if (forwarded !== null) {
    const origin = forwardedOrigin(forwarded)
    if (origin !== '') fields.push('forwarded', origin)
  }
  return fields
}

/** The hosts by which a purge may mean a response: as sent, and as forwarded. */
export function hostsOf(host: string, origin: readonly string[]): readonly string[] {
  if (origin.length === 0) return hostOnly(host)
  const hosts = [host]
  for (let i = 0; i < origin.length; i += 2) {
    if (origin[i] === 'x-forwarded-host' || origin[i] === 'x-original-host') {
      hosts.push(...origin[i + 1]!.split(',').map((value) => value.trim()))
    }
    if (origin[i] === 'forwarded') {
      hosts.push(...[...origin[i + 1]!.matchAll(/host="?([^;,"]*)/gi)].map((match) => match[1]!))
    }
  }
  return [...new Set(hosts.map((value) => value.toLowerCase()).filter((value) => value !== ''))]
}

/** Most responses are of one host, so that they share one list. */
function hostOnly(host: string): readonly string[] {
  if (host !== lastHost) {
    lastHost = host
    lastHosts = host === '' ? [] : [host.toLowerCase()]
  }
  return lastHosts
}

let lastHost = ''
let lastHosts: readonly string[] = []

/**
 * `for=1.2.3.4;host=a;proto=https, …` without all that is about the visitor. What does not parse is kept whole: then it
 * is keyed whole, and shared by nobody.
 */
function forwardedOrigin(value: string): string {
  const elements: string[] = []
  for (const element of value.split(',')) {
    const kept: string[] = []
    for (const pair of element.split(';')) {
      const match = /^[ \t]*([a-z]+)=("[^"\\]*"|[^\s"\\]*)[ \t]*$/i.exec(pair)
      if (match === null) return value
      const name = match[1]!.toLowerCase()
      if (name === 'host' || name === 'proto') kept.push(`${name}=${match[2]!}`)
    }
    elements.push(kept.length > 0 ? kept.join(';') : UNKNOWN)
  }
  return elements.every((element) => element === UNKNOWN) ? '' : elements.join(', ')
}

const UNKNOWN = 'for=unknown'
