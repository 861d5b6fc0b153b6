import { createClient } from '@redis/client'
import { Queue } from 'bullmq'
import { expect, inject, onTestFinished, test } from 'vitest'
import { redisCommand } from '../faults/redis-command.ts'
import { Clock } from '../support/clock.ts'
import { freshName, soon, startSite } from './site.ts'

/** Somebody who can write to the queue. */
async function openQueue(name: string): Promise<Queue> {
  const client = createClient({ socket: { path: inject('redisSocket'), tls: false } })
  await client.connect()
  const queue = new Queue(name, { connection: client })
  onTestFinished(async () => {
    await queue.close()
    client.destroy()
  })
  return queue
}

const GOOD = {
  secure: false,
  target: '/page',
  headers: ['Host', 'example.test', 'Accept', '*/*'],
  carried: [],
  full: 'http:12:example.test5:/page0:',
  receivedAt: 0,
  epoch: 0,
}

const HOSTILE: readonly (readonly [what: string, kind: string, payload: unknown])[] = [
  ['an unknown kind', 'shell', { command: 'x' }],
  ['a kind of Object.prototype', 'constructor', {}],
  ['nothing', 'response', null],
  ['a string', 'response', 'x'],
  ['an array', 'response', []],
  ['no headers', 'response', { ...GOOD, headers: undefined }],
  ['an odd number of header parts', 'response', { ...GOOD, headers: ['Host'] }],
  ['a line break in a header', 'response', { ...GOOD, headers: ['Host', 'a\r\nX: 1'] }],
  ['a header name that is none', 'response', { ...GOOD, headers: ['Ho st', 'a'] }],
  ['a header that is no string', 'response', { ...GOOD, headers: ['Host', 1] }],
  ['more headers than anybody sends', 'response', { ...GOOD, headers: Array.from({ length: 600 }, () => 'x') }],
  ['a header longer than any', 'response', { ...GOOD, headers: ['Host', 'x'.repeat(20_000)] }],
  ['another origin', 'response', { ...GOOD, target: 'http://evil.test/' }],
  ['an authority', 'response', { ...GOOD, target: 'evil.test:443' }],
  ['an asterisk', 'response', { ...GOOD, target: '*' }],
  ['a line break in the path', 'response', { ...GOOD, target: '/x HTTP/1.1\r\nX: 1' }],
  ['a path longer than any', 'response', { ...GOOD, target: `/${'x'.repeat(9000)}` }],
  ['a rewritten path of another origin', 'response', { ...GOOD, rewritten: 'http://evil.test/' }],
  ['content that is no base64', 'response', { ...GOOD, content: '<>' }],
  ['a peer that is no address', 'response', { ...GOOD, peer: 'localhost' }],
  ['a time that is none', 'response', { ...GOOD, receivedAt: 'now' }],
  ['a purge that is none', 'response', { ...GOOD, epoch: 1e300 }],
  ['carried names that are none', 'response', { ...GOOD, carried: ['a b'] }],
  ['a credential', 'response', { ...GOOD, headers: [...GOOD.headers, 'X-Api-Key', '1'] }],
  ['Authorization', 'response', { ...GOOD, headers: [...GOOD.headers, 'Authorization', 'Basic x'] }],
  ['a carried credential', 'response', { ...GOOD, carried: ['Authorization'] }],
  ['another method', 'response', { ...GOOD, headers: [...GOOD.headers, 'X-HTTP-Method-Override', 'DELETE'] }],
  ['a body', 'response', { ...GOOD, headers: [...GOOD.headers, 'Transfer-Encoding', 'chunked'] }],
  ['two hosts', 'response', { ...GOOD, headers: [...GOOD.headers, 'Host', 'other.test'] }],
  ['a URL that is none', 'url', { url: 'file:///etc/passwd', headers: {} }],
  ['a URL without headers', 'url', { url: 'http://example.test/x' }],
  ['a URL with a credential', 'url', { url: 'http://example.test/x', headers: { authorization: 'Basic x' } }],
  ['a URL with a line break', 'url', { url: 'http://example.test/x', headers: { 'x-a': '1\r\nx: 2' } }],
]

test('WORKER-30 a job that is none of ours is an event, and nothing else', async () => {
  const [clock, name] = [new Clock(), freshName()]
  const worker = await startSite('worker', { clock, name })
  const queue = await openQueue(name)
  worker.cache.work({ concurrency: 2 })
  for (const [, kind, payload] of HOSTILE)
    await queue.add(kind, payload, { removeOnComplete: true, removeOnFail: true })
  await soon(() => expect(worker.count('refresh-dropped')).toBe(HOSTILE.length))
  const reasons = worker.events.map(({ reason }) => reason)
  expect(new Set(reasons)).toEqual(
    new Set(['job-kind', 'job-form', 'job-credential', 'job-override', 'job-body', 'job-host']),
  )
  expect(worker.renders).toEqual([])
  // And then one that is.
  await queue.add('response', GOOD, { removeOnComplete: true })
  await soon(() => expect(worker.count('refresh')).toBe(1))
  expect(worker.renders).toHaveLength(1)
  await soon(async () =>
    expect(await queue.getJobCounts()).toMatchObject({ waiting: 0, active: 0, delayed: 0, failed: 0 }),
  )
})

test('WORKER-31 a job whose key is another than its request has is rendered for nobody', async () => {
  const [clock, name] = [new Clock(), freshName()]
  const worker = await startSite('worker', { clock, name })
  const queue = await openQueue(name)
  worker.cache.work()
  await queue.add(
    'response',
    { ...GOOD, full: 'http:12:example.test6:/other0:' },
    { removeOnComplete: true, removeOnFail: true },
  )
  await soon(() => expect(worker.count('refresh-dropped', 'job-key')).toBe(1))
  expect(worker.count('refresh-failed')).toBe(0)
  expect(await worker.cache.inspect('http://example.test/page')).toBeUndefined()
  expect(await worker.cache.inspect('http://example.test/other')).toBeUndefined()
})

test('WORKER-32 what is in a job beside the key does not reach the app', async () => {
  const [clock, name] = [new Clock(), freshName()]
  const worker = await startSite('worker', { clock, name, options: { cookies: 'ignore' } })
  const queue = await openQueue(name)
  worker.cache.work()
  const headers = [...GOOD.headers, 'X-Admin', '1', 'Cookie', 'session=1', 'X-Forwarded-For', '127.0.0.1']
  await queue.add('response', { ...GOOD, headers, peer: '127.0.0.1' }, { removeOnComplete: true })
  await soon(() => expect(worker.renders).toHaveLength(1))
  const [seen] = worker.renders
  expect(Object.keys(seen!.headers).toSorted()).toEqual(['accept', 'connection', 'host', 'user-agent'])
  expect(seen!.remoteAddress).toBe('192.0.2.1')
})

test('WORKER-33 a job that is not even JSON holds nobody up', async () => {
  const [clock, name] = [new Clock(), freshName()]
  const worker = await startSite('worker', { clock, name })
  const queue = await openQueue(name)
  const broken = await queue.add('response', GOOD, { removeOnComplete: true })
  await redisCommand(inject('redisSocket'), ['HSET', `bull:${name}:${broken.id!}`, 'data', '{'])
  worker.cache.work({ concurrency: 1 })
  await queue.add('response', GOOD, { removeOnComplete: true })
  await soon(() => expect(worker.count('refresh')).toBe(1))
})
