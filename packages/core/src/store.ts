/** What a package that fits a store to the cache needs; see docs/stores.md. */
export { invalidOption } from './errors.ts'
export { type RedisClient, RedisConnection, isRedisClient } from './stores/redis-client.ts'
