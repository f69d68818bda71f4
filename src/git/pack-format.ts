/** Packs and their indexes, version 2 of both: pure. The source of every rule is gitformat-pack(5). */

import { createHash } from 'node:crypto'

/** Where an object stands in the pack, in bytes: its header from `start`, its compressed content from `content`. */
export interface PackEntry {
  oid: string
  /** Of its content, before compression. */
  size: number
  start: number
  content: number
  end: number
  /** Of header and content. */
  crc: number
}

/** The head of a pack of so many objects. */
export function packHeader(objects: number): Buffer {
  const header = Buffer.from('PACK\0\0\0\x02\0\0\0\0', 'latin1')
  header.writeUInt32BE(objects, 8)
  return header
}

/** What can be written into a pack, by the number of its type. */
const types = { commit: 1, tree: 2, blob: 3 } as const

export type PackedType = keyof typeof types

/**
 * What stands before an object: its type and the size before compression: its low 4 bits, then 7 bits a byte, the
 * highest bit saying more.
 */
export function objectHeader(type: PackedType, size: number): Buffer {
  const bytes = [(types[type] << 4) | (size % 16)]
  for (let left = Math.floor(size / 16); left > 0; left = Math.floor(left / 128)) {
    bytes[bytes.length - 1] = (bytes.at(-1) as number) | 0x80
    bytes.push(left % 128)
  }
  return Buffer.from(bytes)
}

/** Offsets from here on stand in a table of their own. */
const largeOffset = 2 ** 31

/** The index of a pack with that checksum: counts by first byte, ids, checksums and offsets. */
export function packIndex(entries: PackEntry[], checksum: Buffer): Buffer {
  entries.sort((a, b) => (a.oid < b.oid ? -1 : 1))
  const large = entries.filter(({ start }) => start >= largeOffset)
  let largeBefore = 0
  const counts = new Array<number>(256).fill(0)
  for (const { oid } of entries) {
    for (let byte = Number.parseInt(oid.slice(0, 2), 16); byte < 256; byte++)
      counts[byte] = (counts[byte] ?? 0) + 1
  }
  const parts = [
    Buffer.from('\xfftOc\0\0\0\x02', 'latin1'),
    words(256, (byte) => counts[byte] as number),
    Buffer.from(entries.map(({ oid }) => oid).join(''), 'hex'),
    words(entries.length, (at) => (entries[at] as PackEntry).crc),
    words(entries.length, (at) => offsetWord(entries[at] as PackEntry, () => largeBefore++)),
    ...large.map(({ start }) => words(2, (at) => (at === 0 ? Math.floor(start / 2 ** 32) : start % 2 ** 32))),
    checksum,
  ]
  const index = Buffer.concat(parts)
  return Buffer.concat([index, createHash('sha1').update(index).digest()])
}

/** An offset, or the place of a large one in their table. */
function offsetWord({ start }: PackEntry, place: () => number): number {
  return start < largeOffset ? start : largeOffset + place()
}

function words(count: number, wordAt: (at: number) => number): Buffer {
  const bytes = Buffer.alloc(4 * count)
  for (let at = 0; at < count; at++) bytes.writeUInt32BE(wordAt(at), 4 * at)
  return bytes
}
