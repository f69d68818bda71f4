/** Finds out whether the end of a database file is missing; only reads files. */

import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import type { Database } from 'better-sqlite3'
import { hasErrno, RowbackError } from '../errors.ts'

/**
 * Throws a `source` error if `file`, which `db` has open, ends before its last page and the WAL does not hold what is
 * missing: SQLite reads zeros there, and its check does not always notice. `source` is the file's name for the user.
 */
export function refuseCutShort(source: string, db: Database, file: string): void {
  const number = (name: string): number => Number(db.pragma(name, { simple: true }))
  const [pages, pageSize] = [number('page_count'), number('page_size')]
  const { size } = statSync(file)
  if (size >= pages * pageSize) return
  const written = walPages(`${file}-wal`, pageSize)
  for (let page = Math.floor(size / pageSize) + 1; page <= pages; page++) {
    if (!written.has(page)) throw cutShortError(source, size, pages * pageSize)
  }
}

export function cutShortError(path: string, size: number, wanted: number): RowbackError {
  return new RowbackError(
    'source',
    `read ${path}: the file is cut short: ${size} of ${wanted} bytes are there; nothing was committed`,
    { hint: 'restore it from an earlier commit' },
  )
}

/** The numbers of the pages in a WAL's frames (sqlite.org/fileformat2.html, section 4.1); none without a WAL. */
function walPages(path: string, pageSize: number): Set<number> {
  const pages = new Set<number>()
  let wal: number
  try {
    wal = openSync(path, 'r')
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return pages
    throw error
  }
  try {
    const header = Buffer.alloc(32)
    const frame = Buffer.alloc(24)
    const { size } = fstatSync(wal)
    readSync(wal, header, 0, 32, 0)
    for (let at = 32; at + 24 + pageSize <= size; at += 24 + pageSize) {
      readSync(wal, frame, 0, 24, at)
      // Frames of an earlier round have other salts.
      if (!frame.subarray(8, 16).equals(header.subarray(16, 24))) break
      pages.add(frame.readUInt32BE(0))
    }
  } finally {
    closeSync(wal)
  }
  return pages
}
