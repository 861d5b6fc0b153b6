import { setImmediate as turn } from 'node:timers/promises'
import type { ServerResponse } from 'node:http'
import { expect, onTestFinished } from 'vitest'
import type { Site } from '../../support/scenario.ts'

type Method = (...args: unknown[]) => unknown
type Methods = Record<'writeHead' | 'write' | 'end', Method>

/** The methods of one response, to be replaced by a layer outside or inside, as many middlewares do. */
export const methodsOf = (res: ServerResponse): Methods => res as unknown as Methods

/** What would have ended the process, until the scenario ends. */
export function watchProcess(): readonly unknown[] {
  const errors: unknown[] = []
  const note = (error: unknown): void => void errors.push(error)
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, note)
    onTestFinished(() => void process.off(event, note))
  }
  return errors
}

/** Whatever was to happen at once has happened. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await turn()
}

/** So many others come and go: whoever could work on meanwhile has. */
export async function othersCome(site: Site, count: number, path: string): Promise<void> {
  for (let i = 0; i < count; i++) expect((await site.visit(path).done).status).toBe(200)
}

/** Followers may wait for ever: a flight without a landing is found out by the time limit of the test. */
export const patient = { collapse: { waitMs: 600_000 } } as const
