import { vi } from 'vitest'
import { playAll } from '../support/scenario.ts'
import { koa } from '../support/koa.ts'
import './scenarios.ts'

// Long tables: a busy machine takes its time over them.
vi.setConfig({ testTimeout: 30_000 })
playAll(koa)
