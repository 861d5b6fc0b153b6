import { fileURLToPath } from 'node:url'

/** The folder whose files the `file` reply serves. */
export const FILES = fileURLToPath(new URL('files/', import.meta.url))
