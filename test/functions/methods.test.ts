import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { type Cacheback, type MethodOptions, cached, methodsOf } from '@cacheback/core'
import { expect, onTestFinished, test } from 'vitest'

import { makeStage, settle } from './stage.ts'

const execute = promisify(execFile)

const codeOf = (code: string) => expect.objectContaining({ code }) as Error

async function start() {
  const stage = makeStage('memory')
  return { ...stage, cache: await stage.open() }
}

/** What `@cached(options)` above a method does: neither vitest nor Node's type stripping knows the syntax. */
function decorate(owner: object, name: string, options: object): void {
  const context = { kind: 'method', name, static: typeof owner === 'function', private: false }
  const methods = owner as Record<string, (...args: unknown[]) => Promise<unknown>>
  const decorator = cached<unknown, unknown[], unknown>(options as MethodOptions<unknown[], unknown, unknown>)
  methods[name] = decorator(methods[name]!, context as ClassMethodDecoratorContext<unknown, never>)
}

test('METHOD-01 a method is cached for each instance that is told apart', async () => {
  const { cache, clock } = await start()
  class Shop {
    calls = 0
    readonly city: string
    constructor(city: string) {
      this.city = city
    }
    async price(item: string): Promise<string> {
      this.calls += 1
      return `${this.city} ${item} ${this.calls}`
    }
  }
  decorate(Shop.prototype, 'price', { cache, maxAge: 10, instance: ({ city }: Shop) => city })
  class OpenShop extends Shop {}
  const [here, there] = [new Shop('Bonn'), new OpenShop('Köln')]
  for (let i = 0; i < 2; i += 1) {
    expect(await settle(cache, here.price('tea'))).toBe('Bonn tea 1')
    expect(await settle(cache, there.price('tea'))).toBe('Köln tea 1')
  }
  const prices = methodsOf(here, 'price')
  expect(prices.keyOf('tea')).toBe('Shop.price:Bonn,tea')
  expect(methodsOf(there, 'price').keyOf('tea')).toBe('Shop.price:"Köln",tea')
  clock.advance(11)
  await settle(cache, here.price('tea'))
  expect(await settle(cache, here.price('tea'))).toBe('Bonn tea 2')
  expect(await settle(cache, prices.delete('tea'))).toBe(true)
  expect(await prices.peek('tea')).toBeUndefined()
  expect(await methodsOf(there, 'price').peek('tea')).toMatchObject({ value: 'Köln tea 1' })
  expect(await settle(cache, prices.refresh('tea'))).toBe('Bonn tea 3')
})

test('METHOD-02 a static method, and one with a key of its own', async () => {
  const { cache } = await start()
  let calls = 0
  class Shop {
    static async open(): Promise<number> {
      return (calls += 1)
    }
    async find(_item: { id: number; seen: unknown }): Promise<number> {
      return (calls += 1)
    }
  }
  decorate(Shop, 'open', { cache })
  decorate(Shop.prototype, 'find', { cache, key: (item: { id: number }) => item.id })
  expect([await settle(cache, Shop.open()), await Shop.open()]).toEqual([1, 1])
  expect(methodsOf(Shop, 'open').keyOf()).toBe('Shop.open:')
  const shops = [new Shop(), new Shop()]
  for (const shop of shops) expect(await settle(cache, shop.find({ id: 1, seen: expect }))).toBe(2)
})

test('METHOD-03 the cache may be the instance’s own', async () => {
  const { cache, open } = await start()
  const other = await open()
  class Service {
    calls = 0
    readonly cache: Cacheback
    constructor(its: Cacheback) {
      this.cache = its
    }
    async find(): Promise<number> {
      return (this.calls += 1)
    }
  }
  decorate(Service.prototype, 'find', { cache: (self: Service) => self.cache, instance: 'any' })
  const services = [new Service(cache), new Service(cache), new Service(other)]
  for (const service of services) await settle(service.cache, service.find())
  expect(services.map(({ calls }) => calls)).toEqual([1, 0, 1])
})

test('METHOD-04 whose method it is must be said, and mistakes are told where they are made', async () => {
  const { cache } = await start()
  const service = { find: async () => 1 }
  for (const options of [{ cache }, { cache, instance: 'all' }, { instance: 'any' }, { cache: {}, instance: 'any' }]) {
    expect(() => decorate(service, 'find', options)).toThrow(codeOf('CACHEBACK_INVALID_OPTION'))
  }
  const unknown = { cache, instance: 'any', ttl: 1 }
  expect(() => decorate(service, 'find', unknown)).toThrow(codeOf('CACHEBACK_UNKNOWN_OPTION'))
  expect(() => methodsOf(service, 'find')).toThrow(codeOf('CACHEBACK_NOT_CACHED'))
})

test('METHOD-06 with a key of its own, a method is still cached for each instance', async () => {
  const { cache } = await start()
  class Shop {
    readonly city: string
    constructor(city: string) {
      this.city = city
    }
    async price(item: string, _at: number): Promise<string> {
      return `${this.city} ${item}`
    }
  }
  decorate(Shop.prototype, 'price', { cache, instance: ({ city }: Shop) => city, key: (item: string) => item })
  const [bonn, kiel] = [new Shop('Bonn'), new Shop('Kiel')]
  expect(await settle(cache, bonn.price('tea', 1))).toBe('Bonn tea')
  expect(await settle(cache, kiel.price('tea', 2))).toBe('Kiel tea')
  expect(await bonn.price('tea', 3)).toBe('Bonn tea')
})

test('METHOD-07 an inherited static method is cached for the class that it is called on, or not at all', async () => {
  const { cache } = await start()
  // oxlint-disable-next-line typescript/no-extraneous-class -- it is about what subclasses inherit
  class Model {
    static readonly table: string = 'models'
    static async all(): Promise<string> {
      return `rows of ${this.table}`
    }
  }
  class User extends Model {
    static override readonly table = 'users'
  }
  decorate(Model, 'all', { cache })
  expect(await settle(cache, Model.all())).toBe('rows of models')
  expect(() => User.all()).toThrow(codeOf('CACHEBACK_INVALID_OPTION'))
})

test('METHOD-05 as TypeScript compiles it, and Node alone does not', async () => {
  const root = new URL('../../', import.meta.url)
  const source = fileURLToPath(new URL('decorated/shop.ts', import.meta.url))
  const stripped = execute(process.execPath, ['--conditions=cacheback-source', source])
  await expect(stripped).rejects.toMatchObject({ stderr: expect.stringContaining('SyntaxError') as string })
  // Below the tests, for what it imports to be found.
  const place = fileURLToPath(new URL('../node_modules/.cache/', import.meta.url))
  await mkdir(place, { recursive: true })
  const folder = await mkdtemp(`${place}decorated-`)
  onTestFinished(() => rm(folder, { recursive: true }))
  const settings = ['--ignoreConfig', '--target', 'es2024', '--module', 'nodenext', '--types', 'node', '--skipLibCheck']
  const sources = ['--customConditions', 'cacheback-source', '--allowImportingTsExtensions']
  const where = ['--rewriteRelativeImportExtensions', '--noCheck', '--outDir', folder, '--rootDir', fileURLToPath(root)]
  const tsc = fileURLToPath(new URL('node_modules/.bin/tsc', root))
  await execute(tsc, [...settings, ...sources, ...where, source])
  const built = `${folder}/test/functions/decorated/shop.js`
  const { stdout } = await execute(process.execPath, ['--conditions=cacheback-source', built])
  expect(JSON.parse(stdout)).toEqual([
    'Bonn tea 1',
    'Ulm tea 2',
    'Bonn tea 1',
    3,
    3,
    4,
    4,
    'Shop.price:Bonn,tea',
    'Shop.open:',
  ])
})
