/** Tells databases from other files by SQLite's magic (sqlite.org/fileformat2 1.3.1). */

import { closeSync, constants, openSync, readSync } from 'node:fs'
import { hasErrno } from '../errors.ts'

const magic = Buffer.from('SQLite format 3\0', 'latin1')

/**
 * Whether a regular file begins with the magic; undefined if it is gone. Synchronous: of 50,000 small files in
 * one directory this took 0.5 s, with promises 4 to 15 s. Throws the system's error for a file that cannot be read.
 */
export function isDatabaseFile(file: string | Buffer): boolean | undefined {
  return startOf(file, magic.length)?.equals(magic)
}

/** The first bytes of a regular file, as many as there are; undefined if it is gone. Throws the system's error. */
export function startOf(file: string | Buffer, length: number): Buffer | undefined {
  let descriptor: number
  try {
    // O_NONBLOCK: a fifo put in the file's place would wait for a writer for ever.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ELOOP', 'ENXIO')) return undefined
    throw error
  }
  try {
    const start = Buffer.alloc(length)
    return start.subarray(0, readSync(descriptor, start, 0, length, 0))
  } finally {
    closeSync(descriptor)
  }
}

const companion = /^(.+)-(?:wal|shm|journal)$/s

/** The name of the database that a file beside it would belong to, such as `app.db` for `app.db-wal`. */
export function companionOf(name: string): string | undefined {
  return companion.exec(name)?.[1]
}
