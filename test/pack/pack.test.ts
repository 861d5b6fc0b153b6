import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

// What npm would ship, used as a stranger uses it: built, packed, installed, and without `cacheback-source`.

const execute = promisify(execFile)
const root = fileURLToPath(new URL('../../', import.meta.url))
const tsc = join(root, 'node_modules/typescript/bin/tsc')
const packages = await readdir(join(root, 'packages'))
const beside = ['fastify', 'express', 'koa', '@types/express', '@types/koa', '@types/node']

const compilerOptions = { module: 'nodenext', target: 'es2024', lib: ['es2024'], types: ['node'], strict: true }
const tsconfig = { compilerOptions: { ...compilerOptions, noEmit: true }, files: ['typescript.ts'] }

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cacheback-pack-'))
  await run(process.execPath, [tsc, '-b', ...packages.map((name) => join(root, 'packages', name))])
  await pnpm(root, '--recursive', '--filter', './packages/*', 'pack', '--out', join(folder, '%s.tgz'))
})

afterAll(() => rm(folder, { recursive: true, force: true }))

test('an ES module imports every package', async () => {
  const consumer = await install('esm.mjs')
  await run(process.execPath, ['esm.mjs'], { cwd: consumer })
})

test('a CommonJS module requires every package', async () => {
  const consumer = await install('commonjs.cjs')
  await run(process.execPath, ['commonjs.cjs'], { cwd: consumer })
})

test('a TypeScript project compiles against the shipped types', async () => {
  const consumer = await install('typescript.ts')
  await writeFile(join(consumer, 'tsconfig.json'), JSON.stringify(tsconfig))
  await run(process.execPath, [tsc], { cwd: consumer })
})

describe.each(packages)('@cacheback/%s', (name) => {
  test('ships its licence, readme, build and sources, and no tests', async () => {
    const files = (await run('tar', ['-tzf', tarball(name)])).trim().split('\n')
    const expected = ['LICENSE', 'README.md', 'dist/index.js', 'dist/index.d.ts', 'src/index.ts']
    expect(files).toEqual(expect.arrayContaining(expected.map((file) => `package/${file}`)))
    expect(files.filter((file) => /\.test(-d)?\.|tsbuildinfo/.test(file))).toEqual([])
  })
})

/** A project in a folder of its own that holds one file and depends on the tarballs and the frameworks. */
async function install(file: string): Promise<string> {
  const consumer = join(folder, file.replace(/\W/g, '-'))
  await mkdir(consumer)
  await cp(fileURLToPath(new URL(`consumers/${file}`, import.meta.url)), join(consumer, file))
  const tarballs = Object.fromEntries(packages.map((name) => [`@cacheback/${name}`, `file:${tarball(name)}`]))
  const versions = Object.fromEntries(await Promise.all(beside.map(async (name) => [name, await installed(name)])))
  const manifest = { private: true, type: 'module', dependencies: { ...versions, ...tarballs } }
  await writeFile(join(consumer, 'package.json'), JSON.stringify(manifest))
  // The adapters depend on a core that the registry does not hold yet; msgpackr needs no native helper.
  const settings = { packages: [], overrides: tarballs, allowBuilds: { 'msgpackr-extract': false } }
  await writeFile(join(consumer, 'pnpm-workspace.yaml'), JSON.stringify(settings))
  await pnpm(consumer, 'install', '--prefer-offline')
  return consumer
}

function tarball(name: string): string {
  return join(folder, `cacheback-${name}.tgz`)
}

/** The version that the workspace's own lockfile brought, so that it need not be fetched again. */
async function installed(name: string): Promise<string> {
  const manifest = await readManifest(`test/node_modules/${name}`).catch(() => readManifest(`node_modules/${name}`))
  return manifest.version
}

async function pnpm(cwd: string, ...args: string[]): Promise<void> {
  const { packageManager } = await readManifest('.')
  await run('npx', ['-y', packageManager, ...args], { cwd })
}

/** What the command printed; a failure tells it too, for that is where compilers and pnpm say why. */
async function run(file: string, args: string[], options: { cwd?: string } = {}): Promise<string> {
  return execute(file, args, options).then(
    ({ stdout }) => stdout,
    ({ stdout, stderr }: { stdout: string; stderr: string }) => {
      throw new Error(`${file} ${args.join(' ')}\n${stdout}${stderr}`)
    },
  )
}

async function readManifest(path: string): Promise<{ version: string; packageManager: string }> {
  return JSON.parse(await readFile(join(root, path, 'package.json'), 'utf8'))
}
