/**
 * Where the lines of a table are cut into chunks, and how chunks are named: pure. Each row decides alone whether
 * a chunk begins with it, so the same rows give the same chunks whatever their history.
 */

import { digest } from './names.ts'

/** The mean size of a chunk, in bytes, as a power of two: 64 KiB. */
const chunkBits = 16
/** The mean size of a directory of chunks, in bytes, as a power of two: 16 MiB, 256 chunks. */
const directoryBits = 24

/** The name of a table's first directory and of its first chunk: it sorts before every key. */
const firstName = '+first'

/** The lines of one chunk. */
export interface Chunk {
  /** Its path below the table's folder: `<directory>/<name>`, without an ending. */
  path: string
  /** Row lines are `,(…)` and a line feed each. */
  lines: Buffer
  rows: number
}

/** The key of a row: what is hashed for the cut, and the name of a chunk that begins with it. */
export interface Key {
  /** 32 bits. */
  hash: number
  name(): string
}

/** Finds the key of the line at `index`, which is `lines` from `start` to `end`. */
export type KeyAt = (lines: Buffer, start: number, end: number, index: number) => Key

/** Cuts lines, given in key order, into chunks. */
export class Cutter {
  private directory = firstName
  private name = firstName
  private rows = 0
  private spans: Buffer[] = []

  /** Takes lines that end at `ends` (offsets behind each line feed) and returns the chunks completed by them. */
  push(lines: Buffer, ends: readonly number[], keyAt: KeyAt): Chunk[] {
    const chunks: Chunk[] = []
    let spanStart = 0
    let start = 0
    ends.forEach((end, index) => {
      const key = keyAt(lines, start, end, index)
      const length = end - start
      if (key.hash < length * 2 ** (32 - chunkBits) && this.rows > 0) {
        this.spans.push(lines.subarray(spanStart, start))
        spanStart = start
        chunks.push(this.complete())
        this.name = key.name()
        if (key.hash < length * 2 ** (32 - directoryBits)) this.directory = this.name
      }
      this.rows += 1
      start = end
    })
    this.spans.push(lines.subarray(spanStart, start))
    return chunks
  }

  /** The last chunk, unless there were no lines. */
  end(): Chunk[] {
    return this.rows > 0 ? [this.complete()] : []
  }

  private complete(): Chunk {
    const chunk = {
      path: `${this.directory}/${this.name}`,
      lines: Buffer.concat(this.spans),
      rows: this.rows,
    }
    this.spans = []
    this.rows = 0
    return chunk
  }
}

/** The key of a row line whose first value is an integer. */
export const integerKeyAt: KeyAt = (lines, start) => readIntegerKey(lines, start + 2)

/** The key of a row line whose first `columns` values identify it. */
export function literalKeyAt(columns: number): KeyAt {
  return (lines, start, end) => literalKey(keyBytes(lines, start, end, columns))
}

/** The bytes of a row's key literals, from behind `(` to before the comma or parenthesis after the last. */
function keyBytes(lines: Buffer, start: number, end: number, columns: number): Buffer {
  const from = start + 2
  let at = from
  for (let column = 0; column < columns; column++) {
    if (column > 0) at += 1
    at = literalEnd(lines, at, end)
  }
  return lines.subarray(from, at)
}

/** The offset behind the literal that begins at `at`: the next comma or closing parenthesis outside of quotes. */
export function literalEnd(bytes: Buffer, at: number, end: number): number {
  let depth = 0
  for (let index = at; index < end; index++) {
    const byte = bytes[index]
    if (byte === 0x27) {
      index = bytes.indexOf(0x27, index + 1)
      if (index < 0) return end
    } else if (byte === 0x28) depth += 1
    else if (depth === 0 && (byte === 0x2c || byte === 0x29)) return index
    else if (byte === 0x29) depth -= 1
  }
  return end
}

function readIntegerKey(bytes: Buffer, at: number): Key {
  let index = at
  const negative = bytes[index] === 0x2d
  if (negative) index += 1
  let value = 0
  const first = index
  for (let byte = bytes[index] as number; byte >= 0x30 && byte <= 0x39; byte = bytes[++index] as number) {
    value = value * 10 + byte - 0x30
  }
  if (negative || index - first > 15) return integerKey(BigInt(bytes.toString('latin1', at, index)))
  return {
    hash: integerHash(value >>> 0, Math.floor(value / 2 ** 32)),
    name: () => value.toString().padStart(19, '0'),
  }
}

/** The key of a row that one integer identifies. */
export function integerKey(value: bigint): Key {
  const unsigned = BigInt.asUintN(64, value)
  return {
    hash: integerHash(Number(unsigned & 0xffffffffn), Number(unsigned >> 32n)),
    name: () =>
      value < 0n
        ? `-${(2n ** 63n + value).toString().padStart(19, '0')}`
        : value.toString().padStart(19, '0'),
  }
}

/**
 * A multiplicative hash of a 64-bit integer, given as its low and high 32 bits, to 32 bits. By the golden ratio,
 * as Knuth has it (The Art of Computer Programming 3, 6.4): neighbouring keys spread evenly, so that chunks
 * come out nearly equal.
 */
function integerHash(low: number, high: number): number {
  return (Math.imul(low, 0x9e3779b9) + Math.imul(high, 0x85ebca77)) >>> 0
}

/** The key of a row that these bytes identify: FNV-1a, then the 32-bit finaliser of MurmurHash3. */
export function literalKey(bytes: Buffer): Key {
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return { hash: (hash ^ (hash >>> 16)) >>> 0, name: () => digest(bytes) }
}
