// The CPU time of one server's requests without a connection: node child.ts <file of servers/> <same or unique> <page
// settings as JSON> <seconds that warm up> <seconds of a round> <rounds>. Prints the microseconds of each round as JSON.
import { IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'

import { HEADERS, type Requests, targetOf } from '../load/requests.ts'
import { type PageSettings, makePage } from '../page.ts'
import type { ServerFile } from '../server-file.ts'

const [file = '', kind = 'same', settings = '{}', warmUp = '5', seconds = '1', rounds = '5'] = process.argv.slice(2)
const requests: Requests = kind === 'same' ? { kind } : { kind: 'unique', from: 0 }
/** So many requests come in one turn of the event loop, as they do from 50 connections. */
const AT_ONCE = 20

/** A connection into which everything goes and out of which nothing comes. */
class Nowhere extends Duplex {
  override _read(): void {
    // Nothing comes.
  }

  override _write(_chunk: unknown, _encoding: unknown, callback: () => void): void {
    callback()
  }

  override _writev(_chunks: unknown, callback: () => void): void {
    callback()
  }

  setTimeout(): this {
    return this
  }
}

const socket = new Nowhere() as unknown as Socket
const headers = Object.entries({ Host: 'bench.test', ...HEADERS })
const count = { asked: 0, answered: 0 }

function ask(server: Server): void {
  const req = new IncomingMessage(socket)
  Object.assign(req, { method: 'GET', url: targetOf(requests, count.asked), httpVersion: '1.1' })
  Object.assign(req, { httpVersionMajor: 1, httpVersionMinor: 1, complete: true })
  for (const [name, value] of headers) {
    req.rawHeaders.push(name, value)
    // Node has read them, too, before it calls a listener.
    req.headers[name.toLowerCase()] = value
  }
  req.push(null)
  const res = new ServerResponse(req)
  res.assignSocket(socket)
  res.on('finish', () => {
    res.detachSocket(socket)
    res.emit('close')
    count.answered += 1
  })
  count.asked += 1
  server.emit('request', req, res)
}

/** Microseconds of CPU time that a request takes. */
async function spend(server: Server, ms: number): Promise<number> {
  const before = count.answered
  const { user, system } = process.cpuUsage()
  const until = performance.now() + ms
  while (performance.now() < until) {
    for (let n = 0; n < AT_ONCE; n += 1) {
      ask(server)
      // One connection carries one answer at a time.
      while (count.answered < count.asked) await turn()
    }
    await turn()
  }
  const spent = process.cpuUsage({ user, system })
  return (spent.user + spent.system) / (count.answered - before)
}

const page = makePage(JSON.parse(settings) as PageSettings)
const { default: from } = (await import(`../servers/${file}.ts`)) as { default: ServerFile }
const server = await from.start(page)
if (typeof server === 'number') throw new Error('it is no server of Node')
await spend(server, Number(warmUp) * 1000)
const spent: number[] = []
for (let round = 0; round < Number(rounds); round += 1) spent.push(await spend(server, Number(seconds) * 1000))
console.log(JSON.stringify(spent))
process.exit()
