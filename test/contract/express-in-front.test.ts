import { playAll } from '../support/scenario.ts'
import { inFront } from '../support/app.ts'
import { expressFramework } from '../support/express.ts'
import { NOT_IN_FRONT } from './in-front.ts'
import './scenarios/index.ts'

playAll(inFront(expressFramework), NOT_IN_FRONT)
