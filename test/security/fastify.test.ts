import { playAll } from '../support/scenario.ts'
import { fastify } from '../support/fastify.ts'
import './scenarios.ts'

playAll(fastify)
