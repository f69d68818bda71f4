// A seeded source of numbers, so that sample data is the same on every machine and at every run. Pure.

/** The generator mulberry32: the same seed gives the same sequence. Not for secrets. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** The next whole number from 0 to 2^32 - 1. */
  uint32(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }

  /** A number from 0 up to, but not including, 1. */
  unit(): number {
    return this.uint32() / 2 ** 32
  }

  /** A whole number from `low` to `high`, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.unit() * (high - low + 1))
  }

  /** True with the given probability, 0 to 1. */
  chance(probability: number): boolean {
    return this.unit() < probability
  }

  /** One of `items`, which must not be empty. */
  pick<T>(items: readonly T[]): T {
    return items[this.integer(0, items.length - 1)] as T
  }

  /** `byteCount` bytes that no compressor makes smaller. */
  bytes(byteCount: number): Buffer {
    const words = new Uint32Array(Math.ceil(byteCount / 4))
    for (let at = 0; at < words.length; at++) words[at] = this.uint32()
    return Buffer.from(words.buffer, 0, byteCount)
  }
}
