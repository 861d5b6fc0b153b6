import { type ServerResponse, createServer } from 'node:http'
import { duplexPair } from 'node:stream'
import { text } from 'node:stream/consumers'

import { describe, expect, test, vi } from 'vitest'
import { isLayered, outletOf, setFields } from './outlet.ts'

/** What an answer is on the wire: its status line and fields but for Node's own, and its body. */
async function sent(answer: (res: ServerResponse) => void): Promise<{ lines: string[]; body: string }> {
  const [client, server] = duplexPair()
  const failed = Promise.withResolvers<never>()
  createServer((_req, res) => {
    res.sendDate = false
    try {
      answer(res)
    } catch (error) {
      failed.reject(error)
    }
  }).emit('connection', server)
  client.write('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n')
  const [head = '', body = ''] = (await Promise.race([text(client), failed.promise])).split('\r\n\r\n')
  return { lines: head.split('\r\n').filter((line) => line !== 'Connection: close'), body }
}

/** As a layer outside the cache that compresses, or sets a field at the last moment. */
function lay(res: ServerResponse, method: 'writeHead' | 'write' | 'end', first: (...args: unknown[]) => void): void {
  const below = res[method].bind(res) as (...args: unknown[]) => never
  res[method] = (...args: unknown[]) => {
    first(...args)
    return below(...args)
  }
}

const FIELDS = ['Vary', 'a', 'x-b', '1', 'Vary', 'b', 'Content-Length', '2']
const BODY = Buffer.from('hi')

describe('the way out', () => {
  test('is straight: fields in order, spelled as they are, repeated ones apart', async () => {
    const { lines, body } = await sent((res) => {
      const outlet = outletOf(res)
      outlet.writeHead(404, 'Nowhere', FIELDS)
      expect(res.headersSent).toBe(true)
      outlet.end(BODY)
    })
    expect(lines).toEqual(['HTTP/1.1 404 Nowhere', 'Vary: a', 'x-b: 1', 'Vary: b', 'Content-Length: 2'])
    expect(body).toBe('hi')
  })

  test.each(['write', 'end'] as const)('leaves the head to Node where a layer has its own %s', async (method) => {
    const { lines, body } = await sent((res) => {
      lay(res, method, () => undefined)
      lay(res, 'end', () => res.setHeader('X-Late', '1'))
      const outlet = outletOf(res)
      outlet.writeHead(404, 'Nowhere', FIELDS)
      expect(res.headersSent).toBe(false)
      outlet.end(BODY)
    })
    expect(lines[0]).toBe('HTTP/1.1 404 Nowhere')
    expect(lines.slice(1).toSorted()).toEqual(['Content-Length: 2', 'Vary: a', 'Vary: b', 'X-Late: 1', 'x-b: 1'])
    expect(body).toBe('hi')
  })

  test('ends without a body, where there is none: a layer would take undefined for one', async () => {
    const layer = vi.fn<(...args: unknown[]) => void>()
    const { lines } = await sent((res) => {
      lay(res, 'end', layer)
      const outlet = outletOf(res)
      outlet.writeHead(304, 'Not Modified', ['X', 'y'])
      outlet.end()
    })
    expect(lines).toEqual(['HTTP/1.1 304 Not Modified', 'X: y'])
    expect(layer.mock.calls).toEqual([[]])
  })

  test.each([false, true])('puts fields in the place of what stands there, with a layer: %s', async (isLaid) => {
    const { lines } = await sent((res) => {
      if (isLaid) lay(res, 'end', () => undefined)
      for (const name of ['vary', 'X-Other']) res.setHeader(name, 'before')
      const outlet = outletOf(res)
      outlet.writeHead(200, 'OK', FIELDS)
      outlet.end(BODY)
    })
    const expected = ['Content-Length: 2', 'HTTP/1.1 200 OK', 'Vary: a', 'Vary: b', 'X-Other: before', 'x-b: 1']
    expect(lines.toSorted()).toEqual(expected)
  })
})

test.each([
  ['write', true],
  ['end', true],
  ['writeHead', true],
  [undefined, false],
] as const)('an own %s is a layer: %s', async (method, isLaid) => {
  await sent((res) => {
    if (method !== undefined) lay(res, method, () => undefined)
    expect(isLayered(res)).toBe(isLaid)
    res.end()
  })
})

test('fields that are set replace their names, and repeated ones stay apart, however they are spelled', async () => {
  const { lines } = await sent((res) => {
    res.setHeader('x-a', 'before')
    res.setHeader('x-b', 'stays')
    setFields(res, ['X-A', '1', 'Link', 'a', 'link', 'b'])
    res.end()
  })
  expect(lines.slice(1)).toEqual(['X-A: 1', 'x-b: stays', 'Link: a', 'Link: b', 'Content-Length: 0'])
})
