import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

const cache = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url))
const packages = ['redis-server', 'redis-tools', 'libjemalloc2', 'liblzf1', 'libatomic1']

export interface RedisBinary {
  path: string
  env: NodeJS.ProcessEnv
}

/** A real Redis: the system's; else Debian's, unpacked into node_modules/.cache without root and without installing. */
export async function findRedis(): Promise<RedisBinary> {
  const own = process.env['CACHEBACK_TEST_IGNORE_SYSTEM_REDIS'] === '1' ? undefined : await findOnPath()
  if (own) return own
  const home = join(cache, 'redis')
  try {
    return (await usable(home)) ?? (await bring(home))
  } catch (cause) {
    throw new Error(
      'The tests need a Redis server, and none could be fetched. Install one and run them again: ' +
        'redis-server or valkey (Debian, Ubuntu, Fedora), redis (Alpine, Homebrew).',
      { cause },
    )
  }
}

async function findOnPath(): Promise<RedisBinary | undefined> {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean)
  for (const name of ['redis-server', 'valkey-server']) {
    for (const folder of folders) {
      const path = join(folder, name)
      if (await isExecutable(path)) return { path, env: process.env }
    }
  }
  return undefined
}

/** What an earlier run unpacked, unless it does not run here (another machine's node_modules, say). */
async function usable(home: string): Promise<RedisBinary | undefined> {
  const path = join(home, 'usr/bin/redis-server')
  if (!(await isExecutable(path))) return undefined
  const binary = { path, env: { ...process.env, LD_LIBRARY_PATH: await libraryPath(home) } }
  return run(path, ['--version'], { env: binary.env }).then(
    () => binary,
    () => undefined,
  )
}

async function bring(home: string): Promise<RedisBinary> {
  await mkdir(cache, { recursive: true })
  // Unpacked beside and renamed when it is whole: two runs may do this at the same time.
  const fresh = await mkdtemp(join(cache, 'redis-'))
  try {
    await download(fresh)
    const binary = await usable(fresh)
    if (!binary) throw new Error('The Redis that apt brought does not start.')
    await rename(fresh, home).catch(async () => {
      // Another run was quicker, or what lies there does not run.
      if (await usable(home)) return
      await rm(home, { recursive: true, force: true })
      await rename(fresh, home)
    })
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
  const binary = await usable(home)
  if (!binary) throw new Error('The Redis that apt brought has gone again.')
  return binary
}

async function download(folder: string): Promise<void> {
  const apt = join(folder, 'apt')
  await mkdir(join(apt, 'lists/partial'), { recursive: true })
  await mkdir(join(apt, 'cache/archives/partial'), { recursive: true })
  const settings = [
    `Dir::State::lists=${join(apt, 'lists')}`,
    `Dir::Cache=${join(apt, 'cache')}`,
    'Debug::NoLocking=1',
    'APT::Sandbox::User=root',
    'Acquire::http::Timeout=20',
  ].flatMap((setting) => ['-o', setting])
  const options = { cwd: folder, timeout: 180_000 }
  await run('apt-get', [...settings, 'update'], options)
  await run('apt-get', [...settings, 'download', ...packages], options)
  for (const file of await readdir(folder)) {
    if (!file.endsWith('.deb')) continue
    await run('dpkg', ['-x', join(folder, file), folder], options)
    await rm(join(folder, file))
  }
  await rm(apt, { recursive: true })
}

async function libraryPath(home: string): Promise<string> {
  const folders: string[] = []
  for (const lib of ['usr/lib', 'lib']) {
    const found = await readdir(join(home, lib)).catch(() => [])
    folders.push(...found.filter((name) => name.includes('-linux-gnu')).map((name) => join(home, lib, name)))
  }
  return folders.join(delimiter)
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}
