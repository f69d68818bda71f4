/** Tells in no time whether a database may have changed. */

import { type BigIntStats, closeSync, fstatSync, openSync, readSync, realpathSync } from 'node:fs'
import { hasErrno } from '../errors.ts'
import { filePrint } from '../file-print.ts'

/**
 * A text that differs once a database was written: by its file and its WAL, their times, the change counter of the one
 * and the salts of the other. Undefined while that is not sure, or a journal is there. No connection of this process
 * may have it open, as its locks would end.
 */
export function databasePrint(file: string): string | undefined {
  try {
    const path = realpathSync(file)
    if (stateOf(`${path}-journal`, 0)) return undefined
    const [database, wal] = [stateOf(path, 100), stateOf(`${path}-wal`, 32)]
    // SQLite, run by root, gives the WAL its owner whenever it opens it, which counts as a change of its state.
    const prints = [database?.stats, wal && { ...wal.stats, ctimeNs: wal.stats.mtimeNs }].map(
      (stats) => stats && filePrint(stats),
    )
    if (!database || !prints[0] || (wal && !prints[1])) return undefined
    return [...prints, database.start, wal?.start].join(' ')
  } catch {
    return undefined
  }
}

/** State and first bytes of a file; undefined if there is none. */
function stateOf(path: string, bytes: number): { stats: BigIntStats; start: string } | undefined {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined
    throw error
  }
  try {
    const start = Buffer.alloc(bytes)
    readSync(file, start, 0, bytes, 0)
    return { stats: fstatSync(file, { bigint: true }), start: start.toString('hex') }
  } finally {
    closeSync(file)
  }
}
