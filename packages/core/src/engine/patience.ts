/** How long somebody waits, over several things one after the other. */
export class Patience {
  readonly #over: Promise<void>
  isOver = false

  constructor(ms: number) {
    this.#over = new Promise((resolve) => {
      const end = (): void => {
        this.isOver = true
        resolve()
      }
      if (ms > 0) setTimeout(end, ms).unref()
      else end()
    })
  }

  /** Settles with this, or when patience is over. */
  async until(something: Promise<unknown>): Promise<void> {
    await Promise.race([something, this.#over])
  }
}
