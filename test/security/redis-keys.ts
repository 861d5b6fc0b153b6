import type { RedisClientType } from '@keyv/redis'
import type { Keyv } from 'keyv'
import { inject, onTestFinished } from 'vitest'
import { redisKeyv } from '../support/stores.ts'

/** A Keyv on a real Redis for a cache, and that Redis as somebody else with access to it sees it. */
export interface OpenRedis {
  readonly keyv: Keyv
  /** The client inside that Keyv. */
  readonly client: RedisClientType
  /** The same keys, over another connection. */
  readonly other: Keyv
  /** The keys of this Keyv, as they are in Redis. */
  keys: () => Promise<string[]>
  command: (...words: (string | Buffer)[]) => Promise<unknown>
}

let opened = 0

export async function openRedis(): Promise<OpenRedis> {
  const namespace = `security-${process.pid}-${opened++}`
  const [keyv, other] = [await open(namespace), await open(namespace)]
  const command = (...words: (string | Buffer)[]): Promise<unknown> => clientOf(other).sendCommand(words)
  const keys = async () => ((await command('KEYS', `${namespace}*`)) as string[]).toSorted()
  return { keyv, client: clientOf(keyv), other, keys, command }
}

async function open(namespace: string): Promise<Keyv> {
  const keyv = await redisKeyv(inject('redisSocket'), namespace)
  onTestFinished(() => keyv.disconnect())
  return keyv
}

const clientOf = (keyv: Keyv): RedisClientType => (keyv.store as { client: RedisClientType }).client
