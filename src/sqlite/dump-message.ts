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
  /** Shared with the receiver: how many kilobytes of this thread's files it has used, or `stopped`. */
  used: Int32Array
}

/** What a thread is to do next. */
export type DumpTask = { kind: 'check' } | { kind: 'table'; work: TableWork } | { kind: 'end' }

/**
 * Tells a thread to end by itself: one that is terminated while it is in SQLite takes the whole process with it, as
 * better-sqlite3 cannot make its results any more.
 */
export const stopped = 2 ** 31 - 1

/**
 * What a thread posts: that its view of the database is fixed, that the pages are sound, files, the table that they belong
 * to, and how it ended.
 */
export type DumpMessage =
  | { kind: 'begun' }
  | { kind: 'checked' }
  | { kind: 'file'; file: DumpFile | KeptFile }
  | { kind: 'table'; table: DumpedTable }
  | { kind: 'done' }
  | { kind: 'failed'; error: PlainError }

/** The size of a file as `used` counts it. */
export function kilobytes(file: DumpFile | KeptFile): number {
  return 'oid' in file ? 0 : Math.ceil(file.content.length / 1024)
}
