import { CachebackError, createCacheback } from '@cacheback/core'

export const PROFILES = ['suite', 'cookies', 'default'] as const

export type Profile = (typeof PROFILES)[number]

/** What the suite asks a cache to be able to do, each an option that is off by default. No default lifetime. */
const SUITE: Readonly<Record<string, unknown>> = {
  // Longer than the suite's oldest `Expires` is past.
  staleIfError: 86_400,
  heuristic: true,
  targetedCacheControl: ['CDN-Cache-Control'],
}

const OPTIONS: Readonly<Record<Profile, Readonly<Record<string, unknown>>>> = {
  suite: SUITE,
  // One test has a Cookie in its request, and by default such a request is not looked up at all.
  cookies: { ...SUITE, cookies: 'ignore' },
  default: {},
}

export interface ProfileOptions {
  readonly options: Record<string, unknown>
  /** Options that this cacheback does not know yet. */
  readonly unknown: readonly string[]
}

export function optionsOf(profile: Profile): ProfileOptions {
  const wanted = Object.entries(OPTIONS[profile])
  const known = wanted.filter(([name, value]) => isKnown({ [name]: value }))
  const options = Object.fromEntries(known)
  return { options, unknown: wanted.map(([name]) => name).filter((name) => !(name in options)) }
}

function isKnown(options: Record<string, unknown>): boolean {
  try {
    void createCacheback(options).close()
    return true
  } catch (error) {
    if (error instanceof CachebackError && error.code === 'CACHEBACK_UNKNOWN_OPTION') return false
    throw error
  }
}
