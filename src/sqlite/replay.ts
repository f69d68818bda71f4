/** Replays the files of a dump into a fresh database file. Nothing runs that the grammar of format 1 has not passed. */

import { closeSync, fsyncSync, openSync, statfsSync } from 'node:fs'
import Database from 'better-sqlite3'
import { identifier } from '../dump/literal.ts'
import { pathPart } from '../dump/names.ts'
import { checkRows, parseRowHeader, type RowHeader, rowHeader, rowPath } from '../dump/rows.ts'
import { checkScript, definedName, dumpText, type ScriptFile, scriptFiles } from '../dump/script.ts'
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
    const replay: Replay = { db, declared: new Set(), checked: '', journalMode: '', pages: sparePages }
    let last = ''
    for await (const file of files) {
      // Rows behind the triggers would fire them.
      if (file.path <= last) throw refusal(file.path, 'it does not come in the order of a dump')
      last = file.path
      attempt(db, file.path, () => {
        allowPages(replay, file.content.length)
        if (isScript(file.path)) runScript(replay, file)
        else onRows(runRows(replay, file), file.content.length)
      })
    }
    if (db.inTransaction || replay.journalMode === '') {
      throw new RowbackError('dump', 'replay dump: it ends before its last file, 90-close.sql')
    }
    attempt(db, '90-close.sql', () => run(replay, replay.journalMode))
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

interface Replay {
  db: Database.Database
  /** The tables that 20-tables.sql defines; those that a module makes behind its own are not among them. */
  declared: Set<string>
  /** The header of the row file before this one. */
  checked: string
  /** The statement that must come last. */
  journalMode: string
  /** The most pages that the database may have by now. */
  pages: number
}

/** A connection for a private file: no journal, no lock, one fsync at the end. What a dump says of these is ignored. */
function openTarget(target: string): Database.Database {
  const db = new Database(target)
  db.unsafeMode(true)
  db.pragma('locking_mode=EXCLUSIVE')
  db.pragma('journal_mode=OFF')
  db.pragma('synchronous=OFF')
  db.pragma('trusted_schema=OFF')
  db.pragma('foreign_keys=OFF')
  db.pragma('ignore_check_constraints=ON')
  db.pragma('cache_size=-65536')
  return db
}

const sparePages = 10_000

/**
 * Lets the database have a page for each byte of its dump and some to spare. Only an expression, or a view behind a
 * full-text index, that was written to fill the disk needs more.
 */
function allowPages(replay: Replay, bytes: number): void {
  replay.pages += bytes
  replay.db.pragma(`max_page_count=${Math.min(replay.pages, 2 ** 32 - 2)}`)
}

/** Functions of an extension in a definition run only where the schema is trusted: with them comes that trust. */
function trustExtensions(db: Database.Database, extensions: readonly string[]): void {
  loadExtensions(db, extensions)
  if (extensions.length > 0) db.pragma('trusted_schema=ON')
}

function isScript(path: string): path is ScriptFile {
  return (scriptFiles as readonly string[]).includes(path)
}

/** Runs a script; the journal mode, which must come last, is kept instead. */
function runScript(replay: Replay, { path, content }: ReplayFile): void {
  for (const sql of checkScript(path as ScriptFile, dumpText(content, path), path)) {
    if (sql.startsWith('PRAGMA journal_mode')) replay.journalMode = sql
    else run(replay, sql)
    if (path === '20-tables.sql') replay.declared.add(definedName(sql) ?? '')
  }
}

function runRows(replay: Replay, { path, content }: ReplayFile): number {
  const folder = rowPath.exec(path)?.[1]
  if (folder === undefined) throw refusal(path, 'it is no file of a dump')
  const header = parseRowHeader(content, path)
  if (pathPart(header.table) !== folder || !replay.declared.has(header.table))
    throw refusal(path, `it holds rows of another table, ${JSON.stringify(header.table)}`)
  checkColumns(replay, header, path)
  const rows = checkRows(content, header, path)
  const sql = dumpText(content, path)
  // Its grammar is known to the last byte, and exec() is a fifth faster than prepare() here.
  replay.db.exec(sql)
  return rows
}

/**
 * Refuses rows that leave a column to its DEFAULT or to a stored expression, which would run here, and those that
 * speak to a hidden column of a virtual table. A dump has such tables as stand-ins.
 */
function checkColumns(replay: Replay, { table, columns }: RowHeader, path: string): void {
  const header = rowHeader(table, columns)
  if (header === replay.checked) return
  const given = new Set(columns)
  const found = replay.db.pragma(`main.table_xinfo(${identifier(table)})`) as {
    name: string
    hidden: number
  }[]
  const isWhole = found.every(({ name, hidden }) =>
    hidden === 0 ? given.has(name) : hidden < 3 && !given.has(name),
  )
  if (!isWhole || given.size < columns.length)
    throw refusal(path, `its columns are not those of table ${JSON.stringify(table)}`)
  replay.checked = header
}

function refusal(path: string, cause: string): RowbackError {
  return new RowbackError('dump', `replay ${JSON.stringify(path)}: ${cause}`)
}

/** Runs one statement: where the grammar and SQLite disagree about its end, better-sqlite3 refuses the rest. */
function run({ db }: Replay, sql: string): void {
  const statement = db.prepare(sql)
  if (statement.reader) statement.all()
  else statement.run()
}

/** Does the work on a file of the dump, with what SQLite says against it as Rowback's errors. */
function attempt(db: Database.Database, path: string, work: () => void): void {
  try {
    work()
  } catch (error) {
    if (hasErrno(error, 'SQLITE_FULL') && hasRoom(db.name))
      throw refusal(path, 'it fills more pages than a dump of its size can')
    if (hasErrno(error, 'SQLITE_FULL', 'SQLITE_IOERR_WRITE')) {
      throw new RowbackError('target', `replay ${path}: no room left on the disk`, { cause: error })
    }
    if (!(error instanceof Database.SqliteError || error instanceof RangeError)) throw error
    // better-sqlite3 throws a RangeError for more than one statement.
    throw new RowbackError('dump', `replay ${path}: ${errorText(error)}`, { cause: error })
  }
}

/** Whether there is room on the disk: SQLite then was at the limit of `allowPages`, for which it has the same words. */
function hasRoom(target: string): boolean {
  const { bavail, bsize } = statfsSync(target)
  return bavail * bsize > 2 ** 20
}
