import { conformanceOf } from './conformance.ts'

conformanceOf('koa')
