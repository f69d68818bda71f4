/**
 * Where the lines of a table are cut into chunks, and how chunks are named: pure. Each row decides alone whether
 * a chunk begins with it, so the same rows give the same chunks whatever their history.
 */

import { literalsEnd } from './literal-end.ts'
import { digest } from './names.ts'

/** A row begins a chunk if its hash is below its length times this: a mean of 64 KiB. */
const chunkThreshold = 2 ** 32 / 2 ** 16
/** And a directory, if it is below its length times this: a mean of 16 MiB, 256 chunks. */
const directoryThreshold = 2 ** 32 / 2 ** 24

/** The name of a table's first directory and of its first chunk: it sorts before every key. */
export const firstName = '+first'

/** The lines of one chunk. */
export interface Chunk {
  /** Its path below the table's folder: `<directory>/<name>`, without an ending. */
  path: string
  /** Its lines, in pieces; those of rows are `,(…)` and a line feed each. */
  lines: Buffer[]
  rows: number
}

/** Reads the keys of lines: each method gets all lines, where one begins, and which it is. */
export interface Keys {
  /** 32 bits. */
  hash(lines: Buffer, start: number, index: number): number
  /** What a chunk that begins with the line is called. */
  name(lines: Buffer, start: number, index: number): string
}

/** Cuts lines, given in key order, into chunks. */
export class Cutter {
  /** That of the chunk that is being filled. */
  directory: string
  private name: string
  private rows = 0
  private spans: Buffer[] = []

  /** The first line begins the first chunk of the table, or one of that name. */
  constructor(directory = firstName, name = firstName) {
    this.directory = directory
    this.name = name
  }

  /** Takes lines that end at `ends` (offsets behind each line feed) and returns the chunks completed by them. */
  push(lines: Buffer, ends: readonly number[], keys: Keys): Chunk[] {
    const chunks: Chunk[] = []
    let spanStart = 0
    let start = 0
    ends.forEach((end, index) => {
      const hash = keys.hash(lines, start, index)
      const length = end - start
      if (hash < length * chunkThreshold && this.rows > 0) {
        this.spans.push(lines.subarray(spanStart, start))
        spanStart = start
        chunks.push(this.complete())
        this.name = keys.name(lines, start, index)
        if (hash < length * directoryThreshold) this.directory = this.name
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
      lines: this.spans,
      rows: this.rows,
    }
    this.spans = []
    this.rows = 0
    return chunk
  }
}

/** The keys of row lines whose first value is an integer. */
export const integerKeys: Keys = {
  hash(lines, start) {
    // Up to 15 digits are a number that a double holds; the rest is rare.
    let at = start + 2
    let value = 0
    for (let byte = lines[at] as number; byte >= 0x30 && byte <= 0x39; byte = lines[++at] as number) {
      value = value * 10 + byte - 0x30
    }
    const digits = at - start - 2
    if (digits === 0 || digits > 15) return hashInteger(readInteger(lines, start + 2))
    return mixHalves(value >>> 0, Math.floor(value / 2 ** 32))
  },
  name: (lines, start) => integerName(readInteger(lines, start + 2)),
}

/** The keys of rows that their position identifies, of lines behind the first `before`. */
export function positionKeys(before: number): Keys {
  const position = (index: number): bigint => BigInt(before + index + 1)
  return {
    hash: (_lines, _start, index) => hashInteger(position(index)),
    name: (_lines, _start, index) => integerName(position(index)),
  }
}

/** The keys of row lines whose first `columns` values identify them. */
export function literalKeys(columns: number): Keys {
  return {
    hash: (lines, start) => hashBytes(keyBytes(lines, start, columns)),
    name: (lines, start) => digest(keyBytes(lines, start, columns)),
  }
}

/** The keys of lines that these bytes identify. */
export function givenKeys(keys: readonly Buffer[]): Keys {
  return {
    hash: (_lines, _start, index) => hashBytes(keys[index] as Buffer),
    name: (_lines, _start, index) => digest(keys[index] as Buffer),
  }
}

/** The bytes of a row's key literals, from behind `(` to before the comma or parenthesis after the last. */
function keyBytes(lines: Buffer, start: number, columns: number): Buffer {
  return lines.subarray(start + 2, literalsEnd(lines, start + 1, columns))
}

function readInteger(bytes: Buffer, at: number): bigint {
  let end = at + 1
  while ((bytes[end] as number) >= 0x30 && (bytes[end] as number) <= 0x39) end += 1
  return BigInt(bytes.toString('latin1', at, end))
}

/** 19 digits; a negative integer as `-` and its distance from the smallest, so that names sort as integers do. */
function integerName(value: bigint): string {
  const digits = (value < 0n ? 2n ** 63n + value : value).toString().padStart(19, '0')
  return value < 0n ? `-${digits}` : digits
}

function hashInteger(value: bigint): number {
  const unsigned = BigInt.asUintN(64, value)
  return mixHalves(Number(unsigned & 0xffffffffn), Number(unsigned >> 32n))
}

/**
 * A multiplicative hash of a 64-bit integer, given as its low and high 32 bits, to 32 bits. By the golden ratio,
 * as Knuth has it (The Art of Computer Programming 3, 6.4): neighbouring keys spread evenly, so that chunks
 * come out nearly equal.
 */
function mixHalves(low: number, high: number): number {
  return (Math.imul(low, 0x9e3779b9) + Math.imul(high, 0x85ebca77)) >>> 0
}

/** FNV-1a, then the 32-bit finaliser of MurmurHash3. */
function hashBytes(bytes: Buffer): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < bytes.length; index++)
    hash = Math.imul(hash ^ (bytes[index] as number), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
