/** How long somebody waits, over several things one after the other. It begins with the first. */
export class Patience {
  readonly #ms: number
  #over: Promise<void> | undefined
  #isOver = false

  constructor(ms: number) {
    this.#ms = ms
  }

  get isOver(): boolean {
    return this.#isOver || this.#ms === 0
  }

  /** Settles with this, or when patience is over. */
  async until(something: Promise<unknown>): Promise<void> {
    this.#over ??= new Promise((resolve) => {
      const end = (): void => {
        this.#isOver = true
        resolve()
      }
      setTimeout(end, this.#ms).unref()
    })
    await Promise.race([something, this.#over])
  }
}
