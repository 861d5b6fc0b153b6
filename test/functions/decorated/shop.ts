import { cached, createCacheback, methodsOf } from '@cacheback/core'

const cache = createCacheback()
let calls = 0

class Shop {
  readonly city: string
  constructor(city: string) {
    this.city = city
  }

  @cached({ cache, maxAge: 60, instance: ({ city }: Shop) => city })
  async price(item: string): Promise<string> {
    calls += 1
    return `${this.city} ${item} ${calls}`
  }

  @cached({ cache })
  static async open(): Promise<number> {
    return (calls += 1)
  }

  @cached({ cache, name: 'Shop.secret', instance: 'any' })
  async #secret(): Promise<number> {
    return (calls += 1)
  }

  ask(): Promise<number> {
    return this.#secret()
  }
}

const [here, there] = [new Shop('Bonn'), new Shop('Ulm')]
const seen = [
  await here.price('tea'),
  await there.price('tea'),
  await here.price('tea'),
  await Shop.open(),
  await Shop.open(),
  await here.ask(),
  await there.ask(),
  methodsOf(here, 'price').keyOf('tea'),
  methodsOf(Shop, 'open').keyOf(),
]
console.log(JSON.stringify(seen))
await cache.close()
