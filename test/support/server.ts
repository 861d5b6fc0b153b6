import type { Server } from 'node:http'

/** Resolves when nothing of it is left; visitors who are still there are thrown out. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
