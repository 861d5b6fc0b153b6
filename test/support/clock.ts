/** The only clock of a test: nothing moves unless the script says so. */
export class Clock {
  /** Far from the real time, so that a cache which asks the system's clock is found out. */
  now = Date.UTC(2031, 3, 5, 6, 7, 8)
  monotonic = 1_000_000

  advance(seconds: number): void {
    this.now += seconds * 1000
    this.monotonic += seconds * 1000
  }

  /** The time as HTTP writes it, some seconds from now. */
  httpDate(seconds = 0): string {
    return new Date(this.now + seconds * 1000).toUTCString()
  }
}
