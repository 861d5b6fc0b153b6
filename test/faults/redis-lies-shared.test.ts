import { shared } from './redis-adapters.ts'
import { playLies } from './redis-lies.ts'
import { houseRules } from './redis-measured.ts'

houseRules()

playLies(shared)
