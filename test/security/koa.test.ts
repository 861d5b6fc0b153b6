import { playAll } from '../support/scenario.ts'
import { koa } from '../support/koa.ts'
import './scenarios.ts'

playAll(koa)
