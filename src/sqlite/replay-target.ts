/** The database file that a dump is replayed into. What it is given must have passed the grammar of format 1. */

import { closeSync, fsyncSync, openSync, statfsSync } from 'node:fs'
import type Database from 'better-sqlite3'
import { decodedRows } from '../dump/decode-rows.ts'
import { type Encoding, identifier, isText } from '../dump/literal.ts'
import { parseRowHeader, rowHeader } from '../dump/rows.ts'
import { errorText, hasErrno, RowbackError } from '../errors.ts'
import { diskFault } from './disk-fault.ts'
import { loadExtensions } from './extensions.ts'
import { openDatabase } from './open-database.ts'
import { refusal } from './replay-refusal.ts'
import { isSqliteError } from './sqlite-error.ts'

/** What a row file says of itself. */
interface RowsOf {
  path: string
  table: string
  columns: string[]
}

const sparePages = 10_000

/**
 * Every method throws a `dump` error for what SQLite refuses, naming the file of the dump by its path, and a `target`
 * error for a disk without room.
 */
export class ReplayTarget {
  private readonly db: Database.Database
  /** The header of the rows before these. */
  private checked = ''
  /** The statement that must come last. */
  private journalMode = ''
  /** The most pages that the database may have by now. */
  private pages = sparePages

  /** Makes the file; `extensions` are loaded first. */
  constructor(file: string, extensions: readonly string[]) {
    try {
      // SQLite does not say why it cannot make a file.
      closeSync(openSync(file, 'w'))
      this.db = openTarget(file)
    } catch (error) {
      const fault = diskFault(error)
      if (fault === undefined) throw error
      throw new RowbackError('target', `make ${file}: ${fault}`, { cause: error })
    }
    trustExtensions(this.db, extensions)
  }

  /** Runs a statement of a script, of so many bytes; the journal mode, which must come last, is kept instead. */
  runStatement(path: string, sql: string, bytes: number): void {
    this.attempt(path, () => {
      this.allowPages(bytes)
      if (sql.startsWith('PRAGMA journal_mode')) this.journalMode = sql
      else this.run(sql)
    })
  }

  /** Runs a row file of so many bytes. */
  insertRows(file: RowsOf, sql: string, bytes: number): void {
    this.attempt(file.path, () => {
      this.allowPages(bytes)
      this.checkColumns(file)
      // Its grammar is known to the last byte, and exec() is a fifth faster than prepare() here.
      this.db.exec(sql)
    })
  }

  /** Does the same with a row file's content row by row, binding its values, which are decoded within the content. */
  insertValues(file: RowsOf, content: Buffer): void {
    this.attempt(file.path, () => {
      this.allowPages(content.length)
      this.checkColumns(file)
      const encoding = this.db.pragma('encoding', { simple: true }) as Encoding
      for (const values of decodedRows(content, parseRowHeader(content, file.path), encoding)) {
        const places = values.map((value) => (isText(value) ? 'CAST(? AS TEXT)' : '?'))
        const sql = `${rowHeader(file.table, file.columns)}(${places.join(',')})`
        this.db.prepare(sql).run(values.map((value) => (isText(value) ? value.text : value)))
      }
    })
  }

  /** Ends the replay and makes the file durable. */
  finish(): void {
    if (this.db.inTransaction || this.journalMode === '') {
      throw new RowbackError('dump', 'replay dump: it ends before its last file, 90-close.sql')
    }
    this.attempt('90-close.sql', () => this.run(this.journalMode))
    const { name } = this.db
    this.db.close()
    const file = openSync(name, 'r+')
    try {
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  }

  /** Runs one statement: where the grammar and SQLite disagree about its end, better-sqlite3 refuses the rest. */
  private run(sql: string): void {
    const statement = this.db.prepare(sql)
    if (statement.reader) statement.all()
    else statement.run()
  }

  /**
   * Lets the database have a page for each byte of its dump and some to spare. Only an expression, or a view behind a
   * full-text index, that was written to fill the disk needs more.
   */
  private allowPages(bytes: number): void {
    this.pages += bytes
    this.db.pragma(`max_page_count=${Math.min(this.pages, 2 ** 32 - 2)}`)
  }

  /**
   * Refuses rows that leave a column to its DEFAULT or to a stored expression, which would run here, and those that
   * speak to a hidden column of a virtual table. A dump has such tables as stand-ins.
   */
  private checkColumns({ path, table, columns }: RowsOf): void {
    const header = rowHeader(table, columns)
    if (header === this.checked) return
    const given = new Set(columns)
    const found = this.db.pragma(`main.table_xinfo(${identifier(table)})`) as {
      name: string
      hidden: number
    }[]
    const isWhole = found.every(({ name, hidden }) =>
      hidden === 0 ? given.has(name) : hidden < 3 && !given.has(name),
    )
    if (!isWhole || given.size < columns.length)
      throw refusal(path, `its columns are not those of table ${JSON.stringify(table)}`)
    this.checked = header
  }

  /** Does the work on a file of the dump, with what SQLite says against it as Rowback's errors. */
  private attempt(path: string, work: () => void): void {
    try {
      work()
    } catch (error) {
      if (hasErrno(error, 'SQLITE_FULL') && hasRoom(this.db.name))
        throw refusal(path, 'it fills more pages than a dump of its size can')
      const fault = diskFault(error)
      if (fault !== undefined) throw new RowbackError('target', `replay ${path}: ${fault}`, { cause: error })
      if (!(isSqliteError(error) || error instanceof RangeError)) throw error
      // better-sqlite3 throws a RangeError for more than one statement.
      throw new RowbackError('dump', `replay ${path}: ${errorText(error)}`, { cause: error })
    }
  }
}

/** A connection for a private file: no journal, no lock, one fsync at the end. What a dump says of these is ignored. */
function openTarget(file: string): Database.Database {
  const db = openDatabase(file)
  db.unsafeMode(true)
  db.pragma('locking_mode=EXCLUSIVE')
  db.pragma('journal_mode=OFF')
  db.pragma('synchronous=OFF')
  db.pragma('trusted_schema=OFF')
  db.pragma('foreign_keys=OFF')
  db.pragma('ignore_check_constraints=ON')
  // Twice as much made no restore faster, and took 40 MB more.
  db.pragma('cache_size=-32768')
  return db
}

/** Functions of an extension in a definition run only where the schema is trusted: with them comes that trust. */
function trustExtensions(db: Database.Database, extensions: readonly string[]): void {
  loadExtensions(db, extensions)
  if (extensions.length > 0) db.pragma('trusted_schema=ON')
}

/** Whether there is room on the disk: SQLite then was at the limit of `allowPages`, for which it has the same words. */
function hasRoom(file: string): boolean {
  const { bavail, bsize } = statfsSync(file)
  return bavail * bsize > 2 ** 20
}
