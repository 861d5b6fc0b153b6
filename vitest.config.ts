import { defineConfig } from 'vitest/config'

const redis = ['test/support/redis.ts']

// Where .ci/run wants the numbers of the run.
const report = process.env['CACHEBACK_TEST_REPORT']

export default defineConfig({
  resolve: { conditions: ['cacheback-source'] },
  ssr: { resolve: { conditions: ['cacheback-source'] } },
  test: {
    passWithNoTests: true,
    // By default one less than there are processors: on two that is one file after the other.
    maxWorkers: '100%',
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
    coverage: { provider: 'v8', include: ['packages/*/src/**/*.ts'], exclude: ['**/*.test-d.ts'] },
    // Not 0: where there is one worker only, vitest runs those groups last.
    sequence: { groupOrder: 1 },
    projects: [
      {
        test: {
          name: 'types',
          include: [],
          typecheck: {
            enabled: true,
            only: true,
            tsconfig: 'tsconfig.types.json',
            include: ['packages/*/src/**/*.test-d.ts'],
          },
        },
      },
      { extends: true, test: { name: 'unit', include: ['packages/*/src/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'contract',
          include: ['test/contract/**/*.test.ts'],
          globalSetup: redis,
          testTimeout: 20_000,
        },
      },
      {
        extends: true,
        test: { name: 'functions', include: ['test/functions/**/*.test.ts'], globalSetup: redis, testTimeout: 20_000 },
      },
      {
        extends: true,
        test: {
          name: 'security',
          include: ['test/security/**/*.test.ts'],
          globalSetup: redis,
          testTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: { name: 'keyv6', include: ['test/keyv6/**/*.test.ts'], globalSetup: redis },
      },
      // These start compilers and servers: after the others, which would have to share the processor with them.
      {
        extends: true,
        test: {
          name: 'examples',
          include: ['test/examples/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: 'pack',
          include: ['test/pack/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 3 },
        },
      },
      // Waits real seconds, most of them idle; a busy machine would make stale what is to be fresh.
      {
        extends: true,
        test: {
          name: 'conformance',
          include: ['test/conformance/**/*.test.ts'],
          // A worker each: they wait more than they work.
          maxWorkers: 3,
          testTimeout: 90_000,
          sequence: { groupOrder: 4 },
        },
      },
      // Outages of real seconds, beside nothing that they could slow down.
      {
        extends: true,
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          globalSetup: redis,
          maxWorkers: 2,
          testTimeout: 60_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 5 },
        },
      },
      // Outages and workers that die, in real seconds too.
      {
        extends: true,
        test: {
          name: 'workers',
          include: ['test/workers/**/*.test.ts'],
          globalSetup: redis,
          maxWorkers: 2,
          testTimeout: 60_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 6 },
        },
      },
    ],
  },
})
