import { conformanceOf } from './conformance.ts'

conformanceOf('fastify')
