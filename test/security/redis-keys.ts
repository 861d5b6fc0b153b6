import type { RedisClientType } from '@keyv/redis'
import type { Keyv } from 'keyv'
import { inject, onTestFinished } from 'vitest'
import { redisKeyv } from '../support/stores.ts'

/** A Keyv on a real Redis, and that Redis as somebody else with access to it sees it. */
export interface OpenRedis {
  readonly keyv: Keyv
  /** The keys of this Keyv, as they are in Redis. */
  keys: () => Promise<string[]>
  command: (...words: (string | Buffer)[]) => Promise<unknown>
}

let opened = 0

export async function openRedis(): Promise<OpenRedis> {
  const namespace = `security-${process.pid}-${opened++}`
  const keyv = await redisKeyv(inject('redisSocket'), namespace)
  onTestFinished(() => keyv.disconnect())
  const { client } = keyv.store as { client: RedisClientType }
  const command = (...words: (string | Buffer)[]): Promise<unknown> => client.sendCommand(words)
  const keys = async () => ((await command('KEYS', `${namespace}*`)) as string[]).toSorted()
  return { keyv, keys, command }
}
