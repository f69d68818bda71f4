/** Asks SQLite whether the pages of a database hold together. */

import type { Database } from 'better-sqlite3'
import { identifier } from '../dump/literal.ts'
import { RowbackError } from '../errors.ts'
import { isOutOfStep } from './foreign-content.ts'
import { isSqliteError } from './sqlite-error.ts'

/**
 * Findings about rows that break rules of their own table, and about full-text indexes whose functions are not there;
 * such rows and tables are dumped as they are.
 */
const ruleFinding =
  /^(?:unable to validate the inverted index |NULL value in |CHECK constraint failed in |(?:NUMERIC|TEXT|INTEGER|INT|REAL|BLOB|NUMBER) value in |non-[A-Z]+ value in )/

/**
 * Throws a `source` error with the first damage found in `db`; `path` names it. Indexes are not compared with their
 * tables, but rows that a unique index must keep apart are.
 */
export function checkIntegrity(db: Database, path: string): void {
  refuseFinding(path, firstDamage(db, 'quick_check') ?? firstDuplicate(db, tableNames(db)))
}

/** Throws the same error where rows of those tables are equal in a unique index. */
export function checkDuplicates(db: Database, path: string, tables: readonly string[]): void {
  refuseFinding(path, firstDuplicate(db, tables))
}

function refuseFinding(path: string, finding: string | undefined): void {
  if (finding === undefined) return
  throw new RowbackError('source', `read ${path}: it is corrupt: ${finding}; nothing was committed`, {
    hint: `sqlite3 ${JSON.stringify(path)} 'PRAGMA integrity_check'`,
  })
}

/** The first damage that a full check finds, indexes and full-text indexes included. */
export function integrityFinding(db: Database): string | undefined {
  return firstDamage(db, 'integrity_check')
}

function firstDamage(db: Database, check: 'quick_check' | 'integrity_check'): string | undefined {
  // Rows may break a CHECK clause, and its functions may be the application's own.
  db.pragma('ignore_check_constraints=ON')
  const whole = findingOf(db, check)
  if (whole !== unchecked) return whole
  // A table whose generated columns or indexes cannot be computed here ends the check of all: leave its rows out.
  for (const table of tableNames(db)) {
    const found = findingOf(db, `${check}(${identifier(table)})`)
    if (found !== unchecked && found !== undefined) return found
  }
  return undefined
}

const unchecked = Symbol('unchecked')

function findingOf(
  db: Database,
  check: string,
  isDamage = (row: string) => row !== 'ok' && !ruleFinding.test(row) && !isOutOfStep(db, row),
): string | undefined | typeof unchecked {
  try {
    for (const row of db.prepare(`PRAGMA ${check}`).pluck().iterate() as IterableIterator<string>) {
      if (isDamage(row)) return firstLine(row)
    }
    return undefined
  } catch (error) {
    if (isSqliteError(error) && /^SQLITE_(?:ERROR|CONSTRAINT)/.test(error.code)) return unchecked
    throw error
  }
}

/** SQLite puts up to a hundred findings about b-trees into one row, below a line that names the database. */
function firstLine(row: string): string {
  return row.split('\n').find((line) => !line.startsWith('***')) ?? row
}

function tableNames(db: Database): string[] {
  const tables = "SELECT name FROM main.sqlite_schema WHERE type='table' AND rootpage>0"
  return db.prepare(tables).pluck().all() as string[]
}

/** An index that keeps rows apart. */
export interface UniqueIndex {
  name: string
  /** 1 if it is of some rows only. */
  partial: number
  /** `pk` if it is of the primary key. */
  origin: string
  /** Those of its key; one that is an expression has no name. */
  columns: { name: string | null; coll: string }[]
}

/** The unique indexes of a table. */
export function uniqueIndexes(db: Database, table: string): UniqueIndex[] {
  const all = db.pragma(`main.index_list(${identifier(table)})`) as (UniqueIndex & { unique: number })[]
  return all
    .filter(({ unique }) => unique === 1)
    .map((index) => {
      const columns = db.pragma(`main.index_xinfo(${identifier(index.name)})`)
      const keys = columns as (UniqueIndex['columns'][number] & { key: number })[]
      return { ...index, columns: keys.filter(({ key }) => key === 1) }
    })
}

/** The first unique index, in words, that two rows have no room in together; NULLs differ from each other. */
function firstDuplicate(db: Database, tables: readonly string[]): string | undefined {
  for (const table of tables) {
    const indexes = uniqueIndexes(db, table)
    const [{ wr }] = db.pragma(`main.table_list(${identifier(table)})`) as [{ wr: number }]
    const key = wr === 1 ? indexes.find(({ origin }) => origin === 'pk') : undefined
    const from = `main.${identifier(table)} ${key ? `INDEXED BY ${identifier(key.name)}` : 'NOT INDEXED'}`
    for (const index of indexes) {
      // What is the table itself is looked at row by row, where it is dumped.
      if (index !== key && hasDuplicates(db, table, from, index)) {
        return `rows of table ${JSON.stringify(table)} are equal in its unique index ${JSON.stringify(index.name)}`
      }
    }
  }
  return undefined
}

/** `from` is the table so that its own rows are read, and no index that may be damaged. */
function hasDuplicates(db: Database, table: string, from: string, index: UniqueIndex): boolean {
  const { name, partial, columns: keys } = index
  // Expressions and conditions are only written in the index's text: SQLite compares the index with the table.
  if (partial === 1 || keys.some((key) => key.name === null)) {
    const isDuplicate = (row: string): boolean => row === `non-unique entry in index ${name}`
    return typeof findingOf(db, `integrity_check(${identifier(table)})`, isDuplicate) === 'string'
  }
  const terms = keys.map((key) => `${identifier(key.name as string)} COLLATE ${identifier(key.coll)}`)
  const given = keys.map((key) => `${identifier(key.name as string)} IS NOT NULL`)
  const sql = `SELECT 1 FROM ${from} WHERE ${given.join(' AND ')}
    GROUP BY ${terms.join(',')} HAVING count(*)>1 LIMIT 1`
  try {
    return db.prepare(sql).get() !== undefined
  } catch (error) {
    // A collation or function that is not there: the dump names the object.
    if (isSqliteError(error) && error.code.startsWith('SQLITE_ERROR')) return false
    throw error
  }
}

/** How many rows name a row that is not there. */
export function foreignKeyViolations(db: Database): number {
  try {
    return db.prepare('SELECT count(*) FROM pragma_foreign_key_check').pluck().get() as number
  } catch {
    // A foreign key whose parent table or key does not exist cannot be checked: a "foreign key mismatch".
    return 0
  }
}
