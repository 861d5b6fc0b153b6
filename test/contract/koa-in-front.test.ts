import { playAll } from '../support/scenario.ts'
import { inFront } from '../support/app.ts'
import { koa } from '../support/koa.ts'
import { NOT_IN_FRONT } from './in-front.ts'
import './scenarios/index.ts'

playAll(inFront(koa), NOT_IN_FRONT)
