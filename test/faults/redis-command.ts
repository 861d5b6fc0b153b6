import { connect } from 'node:net'

/** Says something to a Redis past the proxy. Resolves with what it answers, without the framing; rejects if that is an error. */
export function redisCommand(socketPath: string, args: readonly string[], password?: string): Promise<string> {
  const commands = [...(password === undefined ? [] : [['AUTH', password]]), args, ['QUIT']]
  return new Promise((resolve, reject) => {
    let said = ''
    const socket = connect(socketPath, () => socket.write(commands.map(encode).join('')))
    socket.setEncoding('utf8')
    socket.on('data', (chunk) => {
      said += chunk
    })
    socket.on('error', reject)
    socket.on('close', () => {
      const [answer = ''] = said.slice(password === undefined ? 0 : '+OK\r\n'.length).split(/\+OK\r\n$/)
      if (answer === '' || answer.startsWith('-')) reject(new Error(`${args.join(' ')}: ${answer}`))
      else resolve(answer.replace(/^\$\d+\r\n|^[+:]/, '').trimEnd())
    })
  })
}

/** Every key of a Redis. */
export async function redisKeys(socketPath: string): Promise<string[]> {
  const all = await redisCommand(socketPath, ['EVAL', "return table.concat(redis.call('KEYS', '*'), '\\n')", '0'])
  return all === '' ? [] : all.split('\n')
}

const encode = (args: readonly string[]): string =>
  [`*${args.length}`, ...args.flatMap((arg) => [`$${Buffer.byteLength(arg)}`, arg]), ''].join('\r\n')
