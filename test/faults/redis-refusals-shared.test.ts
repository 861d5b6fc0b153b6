import { shared } from './redis-adapters.ts'
import { playRefusals } from './redis-refusals.ts'
import { houseRules } from './redis-measured.ts'

houseRules()

playRefusals(shared)
