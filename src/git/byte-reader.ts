/** Reads lines and counted bytes from a stream, as the replies of git's batch commands need it. */

import type { Readable } from 'node:stream'
import { releaseArrays } from '../buffers.ts'
import { GitClosed } from './run.ts'

const newline = 0x0a
const none = Buffer.alloc(0)

/** One reader of one stream; its calls must not overlap. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Buffer>
  #rest: Buffer = none

  constructor(stream: Readable) {
    this.#chunks = stream[Symbol.asyncIterator]()
  }

  /** The next line without its newline, or undefined at the end of the stream. */
  async line(): Promise<string | undefined> {
    let end = this.#rest.indexOf(newline)
    while (end < 0) {
      const more = await this.#more()
      if (!more) return undefined
      this.#rest = Buffer.concat([this.#rest, more])
      end = this.#rest.indexOf(newline)
    }
    return this.#take(end + 1).toString('utf8', 0, end)
  }

  /**
   * Between 1 and `max` bytes, whatever is there first; they are to be used before the next call. Throws GitClosed at the end
   * of the stream.
   */
  async some(max: number): Promise<Buffer> {
    while (this.#rest.length === 0) {
      const more = await this.#more()
      if (!more) throw new GitClosed('git closed its output')
      this.#rest = more
    }
    return this.#take(max)
  }

  /** Exactly `size` bytes in a buffer of their own. Throws GitClosed if the stream ends before. */
  async exactly(size: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(size)
    for (let at = 0; at < size; ) {
      const chunk = await this.some(size - at)
      at += chunk.copy(bytes, at)
      if (this.#rest.length > 0) continue
      releaseArrays([chunk])
      this.#rest = none
    }
    return bytes
  }

  #take(max: number): Buffer {
    const taken = this.#rest.subarray(0, max)
    this.#rest = this.#rest.subarray(max)
    return taken
  }

  async #more(): Promise<Buffer | undefined> {
    try {
      const { value, done } = await this.#chunks.next()
      return done ? undefined : value
    } catch {
      return undefined // the stream was destroyed, as when git is killed
    }
  }
}
