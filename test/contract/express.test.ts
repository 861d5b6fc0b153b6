import { playAll } from '../support/scenario.ts'
import { expressFramework } from '../support/express.ts'
import './scenarios/index.ts'

playAll(expressFramework)
