import { playAll } from '../support/scenario.ts'
import { koa } from '../support/koa.ts'
import './scenarios/index.ts'

playAll(koa)
