/**
 * Pages of b-trees, read as bytes: pure. The source of every rule is sqlite.org/fileformat2.html, sections 1.6 (b-trees
 * and overflow), 2.1 (records) and 2.2. Whoever reads a page that may be anything checks its type first; offsets out
 * of range throw a RangeError.
 */

import type { Value } from '../dump/literal.ts'

/** The first byte of a page that holds cells. */
export const pageType = { interiorIndex: 2, interiorTable: 5, leafIndex: 10, leafTable: 13 } as const

/** Where the header of a page begins: behind that of the file, on page 1. */
export function headerStart(page: number): number {
  return page === 1 ? 100 : 0
}

/** The number of cells of a page whose header begins at `start`. */
export function cellCount(bytes: Buffer, start: number): number {
  return bytes.readUInt16BE(start + 3)
}

/** The offset of a cell within its page. */
export function cellOffset(bytes: Buffer, start: number, cell: number): number {
  const interior = isInterior(bytes[start])
  return bytes.readUInt16BE(start + (interior ? 12 : 8) + 2 * cell)
}

export function isInterior(type: number | undefined): boolean {
  return type === pageType.interiorIndex || type === pageType.interiorTable
}

/** The children of an interior page, in key order: one a cell, and the rightmost. */
export function children(bytes: Buffer, start: number): number[] {
  const count = cellCount(bytes, start)
  const found: number[] = []
  for (let cell = 0; cell < count; cell++) found.push(bytes.readUInt32BE(cellOffset(bytes, start, cell)))
  found.push(bytes.readUInt32BE(start + 8))
  return found
}

/** A varint as a signed 64-bit integer, and the offset behind it. */
export function readVarint(bytes: Buffer, at: number): { value: bigint; end: number } {
  // A number holds what seven bytes say, and few are longer.
  let low = 0
  for (let index = 0; index < 7; index++) {
    const byte = bytes.readUInt8(at + index)
    low = low * 128 + (byte & 0x7f)
    if (byte < 0x80) return { value: BigInt(low), end: at + index + 1 }
  }
  const eighth = bytes.readUInt8(at + 7)
  let value = (BigInt(low) << 7n) | BigInt(eighth & 0x7f)
  if (eighth < 0x80) return { value, end: at + 8 }
  value = (value << 8n) | BigInt(bytes.readUInt8(at + 8))
  return { value: BigInt.asIntN(64, value), end: at + 9 }
}

/** The rowid of a cell of a leaf of a table. */
export function cellRowid(bytes: Buffer, start: number, cell: number): bigint {
  const { end } = readVarint(bytes, cellOffset(bytes, start, cell))
  return readVarint(bytes, end).value
}

/** A payload: its whole size, the part of it in the page, and the page where the rest begins, 0 if there is none. */
export interface Payload {
  size: number
  local: Buffer
  overflow: number
}

/** The payload of a cell of a leaf of a table, or of any page of an index. */
export function cellPayload(bytes: Buffer, start: number, cell: number, usable: number): Payload {
  const type = bytes[start]
  const at = cellOffset(bytes, start, cell) + (type === pageType.interiorIndex ? 4 : 0)
  const { value, end } = readVarint(bytes, at)
  const size = Number(value)
  const from = type === pageType.leafTable ? readVarint(bytes, end).end : end
  const length = localBytes(size, type === pageType.leafTable, usable)
  const overflow = length < size ? bytes.readUInt32BE(from + length) : 0
  return { size, local: bytes.subarray(from, from + length), overflow }
}

/** How many bytes of a payload stand in its page. */
function localBytes(size: number, isTable: boolean, usable: number): number {
  const most = mostLocal(isTable, usable)
  if (size <= most) return size
  const least = Math.floor(((usable - 12) * 32) / 255) - 23
  const fitting = least + ((size - least) % (usable - 4))
  return fitting <= most ? fitting : least
}

function mostLocal(isTable: boolean, usable: number): number {
  return isTable ? usable - 35 : Math.floor(((usable - 12) * 64) / 255) - 23
}

/**
 * Calls `found` with the first overflow page of each cell that has one. The page may be anything, as the type of a
 * page that is no b-tree's says nothing: what leads out of it is left out.
 */
export function overflowHeads(
  bytes: Buffer,
  start: number,
  usable: number,
  found: (page: number) => void,
): void {
  const type = bytes[start]
  const isTable = type === pageType.leafTable
  const count = cellCount(bytes, start)
  const pointers = start + (type === pageType.interiorIndex ? 12 : 8)
  if (pointers + 2 * count > usable) return
  const most = mostLocal(isTable, usable)
  const fitting = Math.min(most, 0x7f)
  const skipped = type === pageType.interiorIndex ? 4 : 0
  for (let pointer = pointers; pointer < pointers + 2 * count; pointer += 2) {
    let at = ((bytes[pointer] as number) << 8) + (bytes[pointer + 1] as number) + skipped
    // Most have a size of one byte, and fit into their page.
    let byte = bytes[at] as number
    if (byte <= fitting) continue
    let size = byte & 0x7f
    for (let more = 0; more < 8 && byte >= 0x80; more++) {
      byte = bytes[++at] as number
      size = size * 128 + (byte & 0x7f)
    }
    if (!(size > most)) continue
    at += 1
    if (isTable) {
      for (let more = 0; more < 8 && (bytes[at] as number) >= 0x80; more++) at += 1
      at += 1
    }
    const head = at + localBytes(size, isTable, usable)
    if (head + 4 <= bytes.length) found(bytes.readUInt32BE(head))
  }
}

/** The first values of a record; text and blobs as their bytes. */
export function recordValues(record: Buffer, count: number): Value[] {
  const header = readVarint(record, 0)
  let at = header.end
  let content = Number(header.value)
  const values: Value[] = []
  for (let index = 0; index < count; index++) {
    const type = readVarint(record, at)
    at = type.end
    const { value, size } = recordValue(record, Number(type.value), content)
    content += size
    values.push(value)
  }
  return values
}

/** Bytes of the integers of serial types 0 to 6. */
const integerBytes = [0, 1, 2, 3, 4, 6, 8]

/** The last value of a record, an integer: the rowid, in an index of a table. Its serial type takes one byte. */
export function lastInteger(record: Buffer): bigint {
  const { value } = readVarint(record, 0)
  const type = record.readUInt8(Number(value) - 1)
  if (type === 0 || type > 9 || type === 7) throw new RangeError(`serial type ${type}`)
  return recordValue(record, type, record.length - (integerBytes[type] ?? 0)).value as bigint
}

function recordValue(record: Buffer, type: number, at: number): { value: Value; size: number } {
  if (type === 0) return { value: null, size: 0 }
  if (type === 7) return { value: record.readDoubleBE(at), size: 8 }
  if (type === 8 || type === 9) return { value: BigInt(type - 8), size: 0 }
  if (type <= 6) {
    const size = integerBytes[type] as number
    return { value: size === 8 ? record.readBigInt64BE(at) : BigInt(record.readIntBE(at, size)), size }
  }
  if (type < 12) throw new RangeError(`serial type ${type}`)
  const size = Math.floor((type - 12) / 2)
  if (at + size > record.length) throw new RangeError('a record is cut short')
  const bytes = Buffer.from(record.subarray(at, at + size))
  return { value: type % 2 === 0 ? bytes : { text: bytes }, size }
}
