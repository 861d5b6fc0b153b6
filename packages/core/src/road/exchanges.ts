import type { ServerResponse } from 'node:http'

import { Own } from '../node/own.ts'
import type { Visit } from '../node/visit.ts'
import { Exchange, type Passage } from './passage.ts'
import type { Route } from './routes.ts'

/** The exchange of each response that the road has anything to do with. */
export class Exchanges {
  readonly #known = new Own<Exchange>()

  get(res: ServerResponse): Exchange | undefined {
    return this.#known.get(res)
  }

  /** Begins one. `route`: by whose rules the request is answered, as far as is known. */
  begin(visit: Visit, entered: Route, route: Route): Exchange {
    const exchange = new Exchange(visit, entered, route)
    this.#known.set(visit.res, exchange)
    return exchange
  }

  of({ visit, entered, route }: Pick<Passage, 'visit' | 'entered' | 'route'>): Exchange {
    return this.#known.get(visit.res) ?? this.begin(visit, entered, route)
  }
}
