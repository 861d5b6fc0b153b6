/** Holds whoever awaits it until it is opened: a test waits for events, never for time. */
export interface Gate {
  (): Promise<void>
  open: () => void
  /** Resolves when so many have come to the gate, counting all that ever came. */
  reached: (count?: number) => Promise<void>
  readonly arrivals: number
}

export function makeGate(): Gate {
  const opened = Promise.withResolvers<void>()
  const waiting: { count: number; resolve: () => void }[] = []
  let arrivals = 0

  const pass = (): Promise<void> => {
    arrivals++
    for (const watcher of waiting) {
      if (watcher.count <= arrivals) watcher.resolve()
    }
    return opened.promise
  }
  const reached = (count = 1): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    if (count <= arrivals) resolve()
    else waiting.push({ count, resolve })
    return promise
  }
  const open = opened.resolve
  return Object.defineProperty(Object.assign(pass, { open, reached }), 'arrivals', { get: () => arrivals }) as Gate & {
    readonly arrivals: number
  }
}
