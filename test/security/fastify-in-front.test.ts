import { vi } from 'vitest'
import { inFront } from '../support/app.ts'
import { playAll } from '../support/scenario.ts'
import { fastify } from '../support/fastify.ts'
import { NOT_IN_FRONT } from './in-front.ts'
import './guards.ts'
import './scenarios.ts'

// Long tables: a busy machine takes its time over them.
vi.setConfig({ testTimeout: 30_000 })
playAll(inFront(fastify), NOT_IN_FRONT)
