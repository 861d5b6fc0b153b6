import { playAll } from '../support/scenario.ts'
import { inFront } from '../support/app.ts'
import { fastify } from '../support/fastify.ts'
import { NOT_IN_FRONT } from './in-front.ts'
import './scenarios/index.ts'

playAll(inFront(fastify), NOT_IN_FRONT)
