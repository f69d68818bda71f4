/** Tells whether another process has a database open: by the files that processes hold, and by SQLite's own locks. */

import { readdirSync, readFileSync } from 'node:fs'
import type Database from 'better-sqlite3'
import { openDatabase } from './open-database.ts'
import { sqliteCode } from './source-error.ts'
import { hasSpecialCompanion, identityOf } from './source-file.ts'

/** A process and the file it holds open. */
export interface FileUser {
  pid: number
  /** Its program, as ps(1) shows it. */
  name: string
  file: string
}

/**
 * A process that has one of these files open, from proc_pid_fd(5). Files are told by device and inode, so one in another
 * container is found as well. Undefined where there is none, where the system does not tell (it is Linux only), and for
 * processes of other users that this one may not look into: `isLocked` sees those.
 */
export function userOf(files: readonly string[]): FileUser | undefined {
  const wanted = new Map(files.map((file) => [identityOf(file), file]))
  wanted.delete(undefined)
  for (const pid of namesIn('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    for (const descriptor of namesIn(`/proc/${pid}/fd`)) {
      const file = wanted.get(identityOf(`/proc/${pid}/fd/${descriptor}`))
      if (file !== undefined) return { pid: Number(pid), name: programOf(pid), file }
    }
  }
  return undefined
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function programOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
  } catch {
    return 'unknown'
  }
}

/** Whoever only looks something up is gone by then. */
const patienceMs = 1000

/**
 * Whether another connection holds a lock on a database: in WAL mode each that has read anything does, else one that is
 * in a transaction. Where none does, the database is closed as its last user would: what a WAL or a hot journal holds is
 * in the file then, and they are gone. A file that SQLite cannot open is not locked.
 */
export function isLocked(file: string): boolean {
  let db: Database.Database | undefined
  try {
    if (hasSpecialCompanion(file)) return false
    db = openDatabase(file, { fileMustExist: true, timeout: patienceMs })
    // Set before the first access, it makes a WAL ask for the lock that every connection to it shares.
    db.pragma('locking_mode=EXCLUSIVE')
    db.exec('BEGIN EXCLUSIVE')
    db.exec('ROLLBACK')
    return false
  } catch (error) {
    return sqliteCode(error).startsWith('SQLITE_BUSY')
  } finally {
    db?.close()
  }
}
