import { invalidOption, unknownOption } from './errors.ts'

/** Longer lifetimes mean nothing (RFC 9111 §1.2.2) and would overflow timers and stores. */
const MAX_SECONDS = 2 ** 31

/** Throws CACHEBACK_INVALID_OPTION for a value that it does not take. `path`: the option, as the user wrote it. */
export type Check = (value: unknown, path: string) => void

export const check =
  (accepts: (value: unknown) => boolean, expected: string): Check =>
  (value, path) => {
    if (!accepts(value)) throw invalidOption(path, expected, value)
  }

const isCount = (value: unknown): boolean => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
const isPositive = (value: unknown): boolean => isCount(value) && value !== 0
export const isNames = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((name) => typeof name === 'string' && name !== '')
const isToken = (value: unknown): boolean => typeof value === 'string' && /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(value)
const isTokens = (value: unknown): boolean => Array.isArray(value) && value.every(isToken)
export const hasOnly = (value: unknown, key: string): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 1 && key in value

export const isSeconds = (value: unknown): value is number =>
  typeof value === 'number' && value >= 0 && value <= MAX_SECONDS
export const seconds: Check = check(isSeconds, 'a number of seconds from 0 to 2147483648')
/** setTimeout fires at once for longer delays. */
export const milliseconds: Check = check(
  (value) => isCount(value) && (value as number) < 2 ** 31,
  'a whole number of milliseconds',
)
export const positiveMilliseconds: Check = check(
  (value) => isPositive(value) && (value as number) < 2 ** 31,
  'a whole number of milliseconds above 0',
)
export const bytes: Check = check(isPositive, 'a whole number of bytes above 0')
export const count: Check = check(isCount, 'a whole number')
export const countAboveZero: Check = check(isPositive, 'a whole number above 0')
export const boolean: Check = check((value) => typeof value === 'boolean', 'true or false')
export const callback: Check = check((value) => typeof value === 'function', 'a function')
export const jobQueue: Check = check(
  (value) => typeof (value as { open?: unknown } | null)?.open === 'function',
  'a queue, such as bullmqQueue({ connection }) of @cacheback/bullmq',
)
/** Oftener than each second is no schedule. */
const isEvery = (value: unknown): boolean => typeof value === 'number' && value >= 1 && value <= 2 ** 31 / 1000
const isScheduled = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  ('url' in value ||
    ('call' in value && (!('args' in value) || value.args === undefined || Array.isArray(value.args)))) &&
  'every' in value &&
  isEvery(value.every)
export const scheduledRefreshes: Check = check(
  (value) => Array.isArray(value) && value.every(isScheduled),
  'an array of { url, every: seconds } or { call, args: [], every: seconds }, from 1 second on',
)
export const fieldNames: Check = check(isTokens, 'an array of header names')

export const group =
  (checks: Record<string, Check>): Check =>
  (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw invalidOption(path, `an object with ${Object.keys(checks).join(', ')}`, value)
    }
    checkAll(value as Record<string, unknown>, checks, `${path}.`)
  }

function checkAll(options: Record<string, unknown>, checks: Record<string, Check>, path: string): void {
  for (const [name, value] of Object.entries(options)) {
    const test = Object.hasOwn(checks, name) ? checks[name] : undefined
    if (test === undefined) throw unknownOption(path.replace(/^options\./, '') + name, Object.keys(checks))
    if (value !== undefined) test(value, path.replace(/^options\./, '') + name)
  }
}
