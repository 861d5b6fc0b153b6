import { fastifyServer } from '../apps/fastify.ts'
import type { ServerFile } from '../server-file.ts'

export default {
  title: 'Fastify, trivial handler',
  kind: 'uncached',
  package: 'fastify',
  start: (page) => fastifyServer(page),
} satisfies ServerFile
