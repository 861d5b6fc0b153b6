import { defineConfig } from 'vitest/config'
export default defineConfig({
  root: '/tmp/rv',
  resolve: { conditions: ['cacheback-source'] },
  ssr: { resolve: { conditions: ['cacheback-source'] } },
  test: { include: ['repro/**/*.test.ts'], testTimeout: 20000, reporters: ['verbose'] },
})
