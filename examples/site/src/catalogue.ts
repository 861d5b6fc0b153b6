import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface InstalledPackage {
  readonly name: string
  readonly version: string
  readonly description: string
  readonly license: string
  readonly dependencies: Readonly<Record<string, string>>
  /** Its page on GitHub, if it lives there. */
  readonly repository: string | undefined
  readonly folder: string
  readonly readme: { readonly file: string; readonly bytes: number } | undefined
}

/** What is read of a package.json; nobody has checked it. */
interface Manifest {
  readonly version?: unknown
  readonly description?: unknown
  readonly license?: unknown
  readonly dependencies?: Readonly<Record<string, string>>
  readonly repository?: unknown
}

/** The installed packages by name, in the order of the alphabet. A name that is not in here does not exist. */
export type Catalogue = ReadonlyMap<string, InstalledPackage>

const NODE_MODULES = fileURLToPath(new URL('../../../node_modules/', import.meta.url))
const NAME = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/i

/** Reads what is installed in this repository, in pnpm's layout and in that of npm and yarn. */
export function readCatalogue(root: string = NODE_MODULES): Catalogue {
  const store = join(root, '.pnpm')
  const roots = existsSync(store) ? folders(store).map((name) => join(store, name, 'node_modules')) : []
  const found = new Map<string, InstalledPackage>()
  for (const folder of [root, ...roots].flatMap(packageFolders)) {
    const candidate = readPackage(folder.name, folder.path)
    const known = found.get(folder.name)
    if (candidate !== undefined && (known === undefined || isNewer(candidate, known))) {
      found.set(folder.name, candidate)
    }
  }
  return new Map([...found].toSorted(([a], [b]) => a.localeCompare(b, 'en')))
}

/** Several versions may be installed; the order of numbers is enough to show one of them. */
function isNewer(a: InstalledPackage, b: InstalledPackage): boolean {
  return a.version.localeCompare(b.version, 'en', { numeric: true }) > 0
}

function packageFolders(root: string): { name: string; path: string }[] {
  return folders(root)
    .flatMap((name) => (name.startsWith('@') ? folders(join(root, name)).map((inner) => `${name}/${inner}`) : [name]))
    .filter((name) => NAME.test(name))
    .map((name) => ({ name, path: join(root, name) }))
}

/** Real folders only: pnpm's symbolic links lead to folders that are found on their own. */
function folders(path: string): string[] {
  if (!existsSync(path)) return []
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
}

function readPackage(name: string, folder: string): InstalledPackage | undefined {
  const file = join(folder, 'package.json')
  if (!existsSync(file)) return undefined
  try {
    const manifest: Manifest = JSON.parse(readFileSync(file, 'utf8'))
    return {
      name,
      version: text(manifest.version),
      description: text(manifest.description),
      license: text(manifest.license) || 'unknown',
      dependencies: manifest.dependencies ?? {},
      repository: githubPage(manifest.repository),
      folder,
      readme: findReadme(folder),
    }
  } catch {
    // A folder whose manifest nobody can read is no package.
    return undefined
  }
}

function findReadme(folder: string): InstalledPackage['readme'] {
  const name = readdirSync(folder).find((entry) => /^readme\.(?:md|markdown)$/i.test(entry))
  if (name === undefined) return undefined
  const file = join(folder, name)
  return { file, bytes: statSync(file).size }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')

function githubPage(repository: unknown): string | undefined {
  const address = typeof repository === 'object' && repository !== null ? Object(repository).url : repository
  const match = /^(?:.*github\.com[/:]|github:)?([\w.-]+)\/([\w.-]+?)(?:\.git)?$/.exec(text(address))
  return match ? `https://github.com/${match[1]}/${match[2]}` : undefined
}
