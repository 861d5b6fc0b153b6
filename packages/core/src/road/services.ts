import type { Budget } from '../engine/budget.ts'
import type { Flights } from '../engine/flights.ts'
import type { Journal } from '../engine/journal.ts'
import type { Library } from '../engine/library.ts'
import type { Labels } from './labels.ts'
import type { Outcome } from '../node/visit.ts'
import type { Settings } from '../settings.ts'
import type { Exchanges } from './exchanges.ts'
import type { Passage } from './passage.ts'
import type { Routes } from './routes.ts'

/** What the parts of the road share. */
export interface Services {
  readonly settings: Settings
  readonly routes: Routes
  readonly journal: Journal
  readonly library: Library
  readonly flights: Flights
  readonly budget: Budget
  readonly labels: Labels
  readonly exchanges: Exchanges
  /** Puts a request on the road once more. */
  again(passage: Passage): Outcome | Promise<Outcome>
}
