import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { request } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export interface Seen {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** Milliseconds that the visitor waited. */
  readonly waited: number
}

/** A demo in a process of its own, and what it has printed. */
export class Demo {
  printed = ''
  errors = ''
  readonly child: ChildProcess
  readonly exit: Promise<unknown[]>

  constructor(framework: string, env: Record<string, string>, file = 'server.ts') {
    const server = fileURLToPath(new URL(`../../examples/${framework}/${file}`, import.meta.url))
    this.child = spawn(process.execPath, ['--conditions=cacheback-source', server], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.exit = once(this.child, 'exit')
    this.child.stdout?.on('data', (chunk) => (this.printed += String(chunk)))
    this.child.stderr?.on('data', (chunk) => (this.errors += String(chunk)))
  }

  get url(): string {
    return /at (http:\S+)/.exec(this.printed)?.[1] ?? ''
  }

  async listening(): Promise<void> {
    const hasExited = this.exit.then(() => true)
    while (!this.printed.includes('Ctrl-C')) {
      // What a child prints arrives in pieces.
      const gone = await Promise.race([hasExited, once(this.child.stdout!, 'data').then(() => false)])
      if (gone) throw new Error(`The demo has ended: ${this.errors}`)
    }
  }

  async stop(): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGTERM')
      await this.exit
    }
    return this.child.exitCode
  }

  /** The commands that are printed for a step of the guide. */
  commands(step: number): string[] {
    const from = this.printed.indexOf(`\n${step}. `)
    const section = from === -1 ? '' : (this.printed.slice(from).split('\n\n', 1)[0] ?? '')
    return section.split('\n').flatMap((line) => (/^ {3}(?:curl|sleep|kill) /.test(line) ? [line.trim()] : []))
  }

  /** Does what a printed command says, and nothing that it does not say. */
  async follow(command: string): Promise<Seen> {
    const { pause, url, header } =
      /^(?:sleep (?<pause>\d+); )?curl -s .*?(?:-H '(?<header>[^']*)' )?'(?<url>http[^']*)'(?: \| grep .*)?$/.exec(
        command,
      )?.groups ?? {}
    if (url === undefined) throw new Error(`Not a command that the test knows: ${command}`)
    // The demo runs by the system's clock, like a visitor's: that a page expires is really waited for.
    if (pause !== undefined) await setTimeout(Number(pause) * 1000)
    return get(url, header)
  }
}

/** A request with nothing but what curl sends: fetch would add an Accept-Language. */
export async function get(url: string, header?: string): Promise<Seen> {
  const [name, value] = header?.split(': ', 2) ?? []
  const startedAt = performance.now()
  const outgoing = request(url, { agent: false, headers: name && value ? { accept: '*/*', [name]: value } : {} }).end()
  const [response] = await once(outgoing, 'response')
  const body = await text(response)
  return { status: response.statusCode, headers: response.headers, body, waited: performance.now() - startedAt }
}
