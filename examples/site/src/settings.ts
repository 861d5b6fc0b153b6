export interface Settings {
  readonly host: string
  readonly port: number
  /** Seconds that a page is fresh: few, so that one sees it become stale. */
  readonly maxAge: number
  /** Seconds that it is served stale after that: many, so that one has time to look. */
  readonly staleWhileRevalidate: number
}

/** PORT (default 3000; 0: any) and DEMO_MAX_AGE (seconds, default 10). Only this machine can reach the demo. */
export function readSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  return {
    host: '127.0.0.1',
    port: readNumber(env, 'PORT', 3000, 65_535),
    maxAge: readNumber(env, 'DEMO_MAX_AGE', 10, 3600),
    staleWhileRevalidate: 300,
  }
}

function readNumber(env: NodeJS.ProcessEnv, name: string, fallback: number, most: number): number {
  const value = Number(env[name] || fallback)
  if (Number.isInteger(value) && value >= 0 && value <= most) return value
  throw new Error(`${name} must be a whole number from 0 to ${most}, not ${env[name]}`)
}
