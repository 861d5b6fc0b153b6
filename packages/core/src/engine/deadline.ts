/** What was waited for has not come in time. */
export class DeadlineError extends Error {}

/** Waits so long at most, in time in which the event loop has turned. Rejects with DeadlineError. */
export function withDeadline<T>(promise: Promise<T>, timeoutMs: number, monotonicNow: () => number): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let dueAt = monotonicNow() + timeoutMs
    let timer = setTimeout(onDue, timeoutMs).unref()
    let isLenient = true
    promise.then(inTime(resolve), inTime(reject))

    function inTime<Value>(settle: (value: Value) => void): (value: Value) => void {
      return (value) => {
        clearTimeout(timer)
        settle(value)
      }
    }

    function onDue(): void {
      const lateMs = monotonicNow() - dueAt
      // The event loop was blocked: the request may not even have been written yet. Once, it gets its time again.
      if (isLenient && lateMs > timeoutMs / 2) {
        isLenient = false
        dueAt += lateMs + timeoutMs
        timer = setTimeout(onDue, timeoutMs).unref()
        return
      }
      // An answer may be there already, unread: it gets one turn to arrive.
      setImmediate(() => reject(new DeadlineError()))
    }
  })
}
