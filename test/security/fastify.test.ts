import { vi } from 'vitest'
import { playAll } from '../support/scenario.ts'
import { fastify } from '../support/fastify.ts'
import './scenarios.ts'

// Long tables: a busy machine takes its time over them.
vi.setConfig({ testTimeout: 30_000 })
playAll(fastify)
