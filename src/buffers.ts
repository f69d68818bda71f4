/** Gives memory back that V8 would let wait for more. */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { MessageChannel } from 'node:worker_threads'

const { port1: closed } = new MessageChannel()
closed.close()

/**
 * Ends the life of a buffer that nobody will read again: it is empty then. V8 counts it as a small object and would
 * let hundreds of megabytes of them wait for its garbage collector. A part of a larger buffer is left as it is.
 */
export function release(content: Buffer): void {
  if (content.length === 0 || content.length !== content.buffer.byteLength) return
  // What is transferred to a port that is closed is freed at once; ArrayBuffer.prototype.transfer needs Node 21.
  closed.postMessage(undefined, [content.buffer as ArrayBuffer])
}

/**
 * Ends the lives of arrays that nobody will read again, with all that lies in the same memory; what may lie in the memory
 * that small buffers share is left.
 */
export function releaseArrays(arrays: Iterable<NodeJS.TypedArray>): void {
  const memory = new Set([...arrays].map(({ buffer }) => buffer))
  closed.postMessage(undefined, [...memory].filter(isOwn))
}

function isOwn(buffer: ArrayBufferLike): buffer is ArrayBuffer {
  return buffer instanceof ArrayBuffer && buffer.byteLength > Buffer.poolSize
}

let collect: (() => void) | undefined

/**
 * Collects all garbage, which takes a millisecond a megabyte in use. V8 lets as much wait as it had in use when it collected
 * last. Node.js has no other way to ask for it than that flag, which shows in contexts that are made later.
 */
export function collectGarbage(): void {
  if (!collect) {
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('globalThis.gc') as typeof collect
  }
  collect?.()
}
