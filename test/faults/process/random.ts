/** Random numbers that a seed brings back. */
export interface Random {
  /** A whole number from 0 to below this. */
  below: (limit: number) => number
  /** An index, each as likely as its weight. */
  pick: (weights: readonly number[]) => number
}

/** Mulberry32. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  return {
    below,
    pick(weights) {
      let at = next() * weights.reduce((sum, weight) => sum + weight, 0)
      return weights.findIndex((weight) => (at -= weight) < 0)
    },
  }
}
