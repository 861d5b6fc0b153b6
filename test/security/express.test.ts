import { playAll } from '../support/scenario.ts'
import { expressFramework } from '../support/express.ts'
import './scenarios.ts'

playAll(expressFramework)
