/** What a dumping thread and the one that started it say to each other. */

import type { Encoding } from '../dump/literal.ts'
import type { DumpedTable, DumpFile, KeptFile, TableWork } from './dump-rows.ts'
import type { PlainError } from './plain-error.ts'

/** What a thread is started with. */
export interface DumpOrder {
  /** The database, to be opened read-only. */
  path: string
  /** What errors call it. */
  file: string
  encoding: Encoding
  extensions: readonly string[]
  /** The tables to dump; each is taken by one thread. */
  works: TableWork[]
  /** Whether the pages need no check. */
  isChecked: boolean
  /** Shared by all threads: how much of the work is taken, the check of the pages first, then the tables. */
  taken: Int32Array
  /** Shared with the receiver: how many kilobytes of this thread's files it has used, or `stopped`. */
  used: Int32Array
}

/**
 * Tells a thread to end by itself: one that is terminated while it is in SQLite takes the whole process with it, as
 * better-sqlite3 cannot make its results any more.
 */
export const stopped = 2 ** 31 - 1

/** What a thread posts: that its view of the database is fixed, files, the table that they belong to, and how it ended. */
export type DumpMessage =
  | { kind: 'begun' }
  | { kind: 'file'; file: DumpFile | KeptFile }
  | { kind: 'table'; table: DumpedTable }
  | { kind: 'done' }
  | { kind: 'failed'; error: PlainError }

/** The size of a file as `used` counts it. */
export function kilobytes(file: DumpFile | KeptFile): number {
  return 'oid' in file ? 0 : Math.ceil(file.content.length / 1024)
}
