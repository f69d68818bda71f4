/** Tells in no time whether a database may have changed. */

import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync, realpathSync } from 'node:fs'
import { hasErrno } from '../errors.ts'
import { filePrint } from '../file-print.ts'

/**
 * A text that differs once a database was written: by its file and its WAL, their times, the change counter of the one
 * and the salts of the other, and by the index of the WAL, as a commit counts once it is there, which may be long after it
 * was written. Undefined while that is not sure, or a journal may be hot. No connection of this process may have it
 * open, as its locks would end.
 */
export function databasePrint(file: string): string | undefined {
  try {
    const path = realpathSync(file)
    if (mayBeHot(stateOf(`${path}-journal`, 28))) return undefined
    const [database, wal] = [stateOf(path, 100), stateOf(`${path}-wal`, 32)]
    const index = stateOf(`${path}-shm`, 48)
    // SQLite, run by root, gives the WAL its owner whenever it opens it, which counts as a change of its state.
    const prints = [database?.stats, wal && { ...wal.stats, ctimeNs: wal.stats.mtimeNs }].map(
      (stats) => stats && filePrint(stats),
    )
    if (!database || !prints[0] || (wal && !prints[1])) return undefined
    return [...prints, database.start, wal?.start, index?.start].join(' ')
  } catch {
    return undefined
  }
}

/** Of a transaction that is over, modes other than DELETE leave a journal that is empty, or whose header is zeros (pragma.html). */
function mayBeHot(journal: { start: string } | undefined): boolean {
  return journal !== undefined && /[^0]/.test(journal.start)
}

/** State and first bytes of a file; undefined if there is none. */
function stateOf(path: string, bytes: number): { stats: BigIntStats; start: string } | undefined {
  let file: number
  try {
    // A fifo would wait for a writer for ever; this way it cannot be read.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
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
