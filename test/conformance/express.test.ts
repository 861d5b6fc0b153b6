import { conformanceOf } from './conformance.ts'

conformanceOf('express')
