/** Read transactions on a source itself. */

import { setTimeout as sleep } from 'node:timers/promises'
import type Database from 'better-sqlite3'
import { allowSchema } from './connection.ts'
import { refuseCutShort } from './cut-short.ts'
import { openDatabase } from './open-database.ts'
import type { SnapshotOptions } from './snapshot.ts'
import { sourceError, sqliteCode } from './source-error.ts'
import { identityOf } from './source-file.ts'

/** Another file has taken the place of the source while it was opened, or its mode has changed: it is to be opened again. */
export class SourceReplaced extends Error {
  override readonly name = 'SourceReplaced'
}

/** Opens the source read-only and begins the transaction that fixes what is seen. Throws SourceReplaced, too. */
export async function openReadOnly(
  path: string,
  { busyTimeoutMs, extensions }: SnapshotOptions,
): Promise<Database.Database> {
  const givesUpAt = performance.now() + busyTimeoutMs
  let db: Database.Database | undefined
  try {
    const before = identityOf(path)
    db = openDatabase(path, { readonly: true, fileMustExist: true, timeout: 0 })
    allowSchema(db, extensions)
    db.exec('BEGIN')
    while (!isReadable(db, performance.now() < givesUpAt)) await sleep(pollMs)
    // A lock was waited for, and is on what was opened.
    if (identityOf(path) !== before) throw new SourceReplaced(path)
    refuseCutShort(path, db, path)
    return db
  } catch (error) {
    db?.close()
    throw error instanceof SourceReplaced ? error : sourceError(path, error, busyTimeoutMs)
  }
}

/**
 * How often a locked source is asked again. SQLite's own wait soon asks ten times a second only, and a busy writer
 * leaves a few milliseconds between its commits (measured: 10 s were not always enough to meet them).
 */
const pollMs = 2

/** Whether a lock for reading was to be had; throws what SQLite says where not and nobody waits any longer. */
function isReadable(db: Database.Database, isPatient: boolean): boolean {
  try {
    db.prepare('SELECT count(*) FROM sqlite_schema').get()
    return true
  } catch (error) {
    if (isPatient && sqliteCode(error).startsWith('SQLITE_BUSY')) return false
    throw error
  }
}

/** Sees what is committed by now, and returns how many pages that is; a WAL never keeps a reader waiting. */
export function beginAgain(db: Database.Database): number {
  db.exec('COMMIT')
  db.exec('BEGIN')
  return Number(db.pragma('page_count', { simple: true }))
}
