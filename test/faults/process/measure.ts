import { createHistogram, monitorEventLoopDelay, type Histogram } from 'node:perf_hooks'
import type { ProcessFigures, Spread } from './order.ts'

const RESOLUTION_MS = 5
const MiB = 1024 * 1024

export interface Measure {
  figures: () => ProcessFigures
  /** Begins to measure the loop anew. */
  reset: () => void
}

/** Measures this process: its memory (with --expose-gc, without its garbage), and its loop by the clock and by the processor. */
export function measureProcess(): Measure {
  const lag = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  const held = createHistogram()
  let before = cpuMicroseconds()
  const timer = setInterval(() => {
    const now = cpuMicroseconds()
    held.record(Math.max(1, now - before))
    before = now
  }, RESOLUTION_MS)
  timer.unref()
  lag.enable()
  return {
    figures() {
      const loop = { lagMs: spread(lag, 1e6), heldMs: spread(held, 1e3) }
      // What is garbage is no growth, nor what V8 keeps in reserve for it (100 MiB after a flood, without any cache).
      for (let i = 0; i < 3; i++) globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
      const { rss, heapUsed, arrayBuffers } = process.memoryUsage()
      return { rssMiB: rss / MiB, heapMiB: (heapUsed + arrayBuffers) / MiB, ...loop }
    },
    reset() {
      lag.reset()
      held.reset()
      before = cpuMicroseconds()
    },
  }
}

/** Of the main thread where Node can tell (24), else of the whole process. */
function cpuMicroseconds(): number {
  const { user, system } = process.threadCpuUsage?.() ?? process.cpuUsage()
  return user + system
}

/** What a turn took longer than the interval of the measurement. */
function spread(histogram: Histogram, perMs: number): Spread {
  const beyond = (value: number): number => Math.max(0, value / perMs - RESOLUTION_MS)
  return {
    p50: beyond(histogram.percentile(50)),
    p99: beyond(histogram.percentile(99)),
    max: beyond(histogram.max),
  }
}
