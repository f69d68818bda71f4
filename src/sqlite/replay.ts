/** Replays the files of a dump into a fresh database file. Nothing runs that the grammar of format 1 has not passed. */

import { closeSync, fsyncSync, openSync } from 'node:fs'
import Database from 'better-sqlite3'
import { pathPart } from '../dump/names.ts'
import { checkRows, parseRowHeader } from '../dump/rows.ts'
import { checkScript, type ScriptFile, scriptFiles } from '../dump/script.ts'
import { errorText, hasErrno, RowbackError } from '../errors.ts'
import { loadExtensions } from './extensions.ts'

/** A file of a dump; the path is relative to the database's folder. */
export interface ReplayFile {
  path: string
  content: Buffer
}

/**
 * Replays files, given in path order, into the new file `target` and makes it durable; `extensions` are loaded first.
 * `onRows` is told of the rows of each row file. Throws a `dump` error for what a dump may not hold or SQLite refuses, a `target` error
 * for a disk without room; the caller removes `target` then.
 */
export async function replayDump(
  files: AsyncIterable<ReplayFile>,
  target: string,
  extensions: readonly string[] = [],
  onRows: (rows: number, bytes: number) => void = () => {},
): Promise<void> {
  const db = openTarget(target)
  try {
    trustExtensions(db, extensions)
    let journalMode = ''
    for await (const file of files) {
      if (isScript(file.path)) journalMode = runScript(db, file) ?? journalMode
      else onRows(runRows(db, file), file.content.length)
    }
    if (db.inTransaction || journalMode === '') {
      throw new RowbackError('dump', 'replay dump: it ends before its last file, 90-close.sql')
    }
    db.exec(journalMode)
  } finally {
    db.close()
  }
  const file = openSync(target, 'r+')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** A connection for a private file: no journal, no lock, one fsync at the end. */
function openTarget(target: string): Database.Database {
  const db = new Database(target)
  db.unsafeMode(true)
  db.pragma('locking_mode=EXCLUSIVE')
  db.pragma('journal_mode=OFF')
  db.pragma('synchronous=OFF')
  db.pragma('trusted_schema=OFF')
  db.pragma('cache_size=-65536')
  return db
}

/** Functions of an extension in a definition run only where the schema is trusted: with them comes that trust. */
function trustExtensions(db: Database.Database, extensions: readonly string[]): void {
  loadExtensions(db, extensions)
  if (extensions.length > 0) db.pragma('trusted_schema=ON')
}

function isScript(path: string): path is ScriptFile {
  return (scriptFiles as readonly string[]).includes(path)
}

/** Runs a script; the journal mode, which must come last, is returned instead. */
function runScript(db: Database.Database, { path, content }: ReplayFile): string | undefined {
  let journalMode: string | undefined
  for (const sql of checkScript(path as ScriptFile, content.toString('utf8'), path)) {
    if (sql.startsWith('PRAGMA journal_mode')) journalMode = sql
    else run(db, sql, path)
  }
  return journalMode
}

function runRows(db: Database.Database, { path, content }: ReplayFile): number {
  const folder = /^30-rows\/([^/]+)\/[^/]+\/[^/]+\.sql$/.exec(path)?.[1]
  if (folder === undefined) throw new RowbackError('dump', `replay dump: ${path} is no file of a dump`)
  const header = parseRowHeader(content, path)
  if (pathPart(header.table) !== folder || /^sqlite_/i.test(header.table)) {
    throw new RowbackError(
      'dump',
      `replay dump: ${path} holds rows of another table, ${JSON.stringify(header.table)}`,
    )
  }
  const rows = checkRows(content, header, path)
  run(db, content.toString('utf8'), path)
  return rows
}

function run(db: Database.Database, sql: string, path: string): void {
  try {
    db.exec(sql)
  } catch (error) {
    if (hasErrno(error, 'SQLITE_FULL') || hasErrno(error, 'SQLITE_IOERR_WRITE')) {
      throw new RowbackError('target', `replay ${path}: no room left on the disk`, { cause: error })
    }
    throw new RowbackError('dump', `replay ${path}: ${errorText(error)}`, { cause: error })
  }
}
