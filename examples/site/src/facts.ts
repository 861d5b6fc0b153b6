import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

import type { InstalledPackage } from './catalogue.ts'

export interface PackageFacts {
  readonly name: string
  readonly version: string
  readonly description: string
  readonly license: string
  readonly dependencies: Readonly<Record<string, string>>
  readonly sizes: { readonly readmeBytes: number; readonly files: number; readonly bytes: number }
}

/** What a package says about itself, and what it weighs: every file of it is counted. */
export async function gatherFacts(shown: InstalledPackage): Promise<PackageFacts> {
  const { name, version, description, license, dependencies, readme, folder } = shown
  const sizes = await weigh(folder)
  return { name, version, description, license, dependencies, sizes: { readmeBytes: readme?.bytes ?? 0, ...sizes } }
}

async function weigh(folder: string): Promise<{ files: number; bytes: number }> {
  const entries = await readdir(folder, { withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => stat(join(folder, entry.name)))
  const folders = entries.filter((entry) => entry.isDirectory() && entry.name !== 'node_modules')
  const inner = await Promise.all(folders.map((entry) => weigh(join(folder, entry.name))))
  const own = (await Promise.all(files)).map(({ size }) => ({ files: 1, bytes: size }))
  return [...own, ...inner].reduce((sum, part) => ({ files: sum.files + part.files, bytes: sum.bytes + part.bytes }), {
    files: 0,
    bytes: 0,
  })
}
