/** Finds out whether a rollback journal still holds what it was written for; only reads files. */

import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { RowbackError } from '../errors.ts'

/** The first bytes of a journal's headers (sqlite.org/fileformat2.html, section 3). */
const magic = Buffer.from('d9d505f920a163d7', 'hex')
const headerBytes = 28
/** In place of a count, by a writer that waits for no disk. */
const uncounted = 0xffffffff

/**
 * Throws a `source` error if a page that the hot journal `file` counts is missing or damaged. A writer counts pages
 * when they are safe in the journal, and only then changes the database; SQLite stops at the first bad one without a
 * word, and leaves the rest of the transaction in the database. `source` is the database's name for the user.
 */
export function refuseTornJournal(source: string, file: string): void {
  const descriptor = openSync(file, 'r')
  try {
    const { size } = fstatSync(descriptor)
    const read = (bytes: number, at: number): Buffer => {
      const buffer = Buffer.alloc(bytes)
      readSync(descriptor, buffer, 0, bytes, at)
      return buffer
    }
    for (let at = 0; at + headerBytes <= size; ) {
      const header = readJournalHeader(read(headerBytes, at))
      if (header === undefined) return
      const { count, nonce, pages, sectorBytes, pageBytes } = header
      if (sectorBytes < 32 || pageBytes < 512) throw tornError(source)
      at += sectorBytes
      for (let index = 0; index < count; index++, at += pageBytes + 8) {
        if (at + pageBytes + 8 > size) throw tornError(source)
        if (!isIntact(read(pageBytes + 8, at), nonce, pages)) throw tornError(source)
      }
      at = Math.ceil(at / sectorBytes) * sectorBytes
    }
  } finally {
    closeSync(descriptor)
  }
}

interface JournalHeader {
  /** How many pages follow. */
  count: number
  /** What the checksums begin with. */
  nonce: number
  /** The pages of the database before the transaction. */
  pages: number
  sectorBytes: number
  pageBytes: number
}

/** Undefined where SQLite stops reading, too: it is no header, or counts nothing. */
function readJournalHeader(bytes: Buffer): JournalHeader | undefined {
  const [count = 0, nonce = 0, pages = 0, sectorBytes = 0, pageBytes = 0] = [8, 12, 16, 20, 24].map(
    (offset) => bytes.readUInt32BE(offset),
  )
  if (!bytes.subarray(0, 8).equals(magic) || count === 0 || count === uncounted) return undefined
  return { count, nonce, pages, sectorBytes, pageBytes }
}

/** Whether a record, the number of a page, the page and its checksum, is as it was written. */
function isIntact(record: Buffer, nonce: number, pages: number): boolean {
  const page = record.readUInt32BE(0)
  let sum = nonce
  for (let at = record.length - 8 - 200; at > 0; at -= 200) sum += record[4 + at] as number
  return page > 0 && page <= pages && sum >>> 0 === record.readUInt32BE(record.length - 4)
}

function tornError(source: string): RowbackError {
  return new RowbackError(
    'source',
    `read ${source}: the journal of an unfinished transaction is damaged, so that it cannot be rolled back; nothing was committed`,
    { hint: 'restore it from an earlier commit' },
  )
}
