import { type IncomingMessage, type ServerResponse, request } from 'node:http'

/** An answer of the origin, as the app's route passes it on. */
export interface Forwarded {
  readonly status: number
  readonly reason: string
  /** Every field of the response with the values of all its lines, in order. */
  readonly fields: readonly (readonly [name: string, values: readonly string[]])[]
  /** null: the response has no body. */
  readonly body: Buffer | null
}

/** What Node says of its own connection; any other value of these fields is the suite's. */
const OF_THE_CONNECTION: Record<string, RegExp> = {
  connection: /^(close|keep-alive)$/i,
  'keep-alive': /^timeout=\d+$/,
  'transfer-encoding': /^chunked$/i,
}

/**
 * Asks the origin what a handler asks of its database: the request as the handler sees it (`req.headers`, so that
 * validators which the cache writes there arrive), once. Interim responses go straight to `res`. Throws if the origin
 * closes the connection.
 */
export function forward(port: number, req: IncomingMessage, url: string, res: ServerResponse): Promise<Forwarded> {
  return new Promise((resolve, reject) => {
    const headers = { ...req.headers }
    for (const name of Object.keys(OF_THE_CONNECTION)) delete headers[name]
    const asked = request({ host: '127.0.0.1', port, method: req.method, path: url, headers, agent: false })
    let answered: IncomingMessage | undefined
    // The suite declares lengths that are too short: what comes after the end is no concern of a handler.
    asked.on('error', (error) => answered?.complete === true || reject(error))
    asked.on('information', ({ statusCode, headers: hints }) => {
      if (statusCode === 102) res.writeProcessing()
      else if (statusCode === 103) res.writeEarlyHints(hints as Record<string, string>)
    })
    asked.on('response', (answer) => {
      answered = answer
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () => {
        const bodiless = req.method === 'HEAD' || answer.statusCode === 204 || answer.statusCode === 304
        resolve({
          status: answer.statusCode!,
          reason: answer.statusMessage!,
          fields: fieldsOf(answer.rawHeaders),
          body: bodiless ? null : Buffer.concat(chunks),
        })
      })
    })
    req.pipe(asked)
  })
}

function fieldsOf(raw: readonly string[]): [string, string[]][] {
  const fields = new Map<string, [string, string[]]>()
  for (let at = 0; at < raw.length; at += 2) {
    const [name, value] = [raw[at]!, raw[at + 1]!]
    if (OF_THE_CONNECTION[name.toLowerCase()]?.test(value) === true) continue
    const known = fields.get(name.toLowerCase())
    if (known === undefined) fields.set(name.toLowerCase(), [name, [value]])
    else known[1].push(value)
  }
  return [...fields.values()]
}
