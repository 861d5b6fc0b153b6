import type { Rules } from '../settings.ts'
import { MAX_CONTENT_BYTES, type RequestHead, valuesOf } from './fields.ts'

/** URLs longer than this are nobody's page; keys and memory are not for them. */
export const MAX_TARGET_LENGTH = 8192

/** With these a client asks for another page, or another method, than the request line says. */
export const OVERRIDES: readonly string[] = [
  'x-original-url',
  'x-rewrite-url',
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
]

/**
 * Why a request goes to the handler, uncached; undefined for a GET or HEAD that the cache may answer. Cookies and the
 * route's `skip` are judged beside it, where they are read.
 */
export function bypassReason(request: RequestHead, rules: Rules): string | undefined {
  const { headers, method, target } = request
  const isQuery = method === 'QUERY' && rules.queryMethod
  if (method !== 'GET' && method !== 'HEAD' && !isQuery) return 'method'
  if (isQuery ? !hasKnownContent(request) : hasBody(request)) return 'body'
  if (headers.upgrade !== undefined) return 'upgrade'
  if (!target.startsWith('/')) return 'target'
  if (target.length > MAX_TARGET_LENGTH) return 'url-length'
  if (headers.host !== undefined && valuesOf(request.rawHeaders, 'host').length > 1) return 'host'
  if (OVERRIDES.some((name) => headers[name] !== undefined)) return 'override'
  if (rules.credentials.some((name) => headers[name] !== undefined)) return 'credential'
  if (headers['if-match'] !== undefined || headers['if-unmodified-since'] !== undefined) return 'condition'
  if (headers.accept?.toLowerCase().includes('text/event-stream') === true) return 'event-stream'
  return undefined
}

/** The content of a QUERY is a part of its key, if it is short and its length is known. */
function hasKnownContent({ headers }: RequestHead): boolean {
  return headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) <= MAX_CONTENT_BYTES
}

function hasBody({ headers }: RequestHead): boolean {
  const length = headers['content-length']
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
}
