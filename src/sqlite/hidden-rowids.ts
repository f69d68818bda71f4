/** Reads the rowids of tables whose columns are called `rowid`, `_rowid_` and `oid`, so that no SQL can name them. */

import type { Database } from 'better-sqlite3'
import { identifier } from '../dump/literal.ts'

/** Whether the database may have such a table; then they are read in a private copy. */
export function mayHideRowids(db: Database): boolean {
  const sql = `SELECT 1 FROM main.sqlite_schema WHERE type='table' AND sql LIKE '%\\_rowid\\_%' ESCAPE '\\' LIMIT 1`
  return db.prepare(sql).get() !== undefined
}

/** A table of one column on the pages of another one, whose rowids it has. */
export interface RowidView {
  /** Its name as SQL. */
  name: string
  /** Takes it away again. */
  close(): void
}

/** `db` is private and can be written: for as long as the view is open, its schema has one row more. */
export function openRowidView(db: Database, rootPage: number): RowidView {
  const taken = db.prepare('SELECT 1 FROM main.sqlite_schema WHERE name=?')
  let name = 'rowids'
  while (taken.get(name)) name += '_'
  const queryOnly = db.pragma('query_only', { simple: true })
  db.pragma('query_only=OFF')
  db.exec('SAVEPOINT rowids')
  db.pragma('writable_schema=ON')
  db.prepare(`INSERT INTO main.sqlite_schema VALUES('table',?,?,?,?)`).run(
    name,
    name,
    BigInt(rootPage),
    `CREATE TABLE ${identifier(name)}(x)`,
  )
  db.pragma('writable_schema=RESET')
  return {
    name: `main.${identifier(name)}`,
    close: () => {
      db.exec('ROLLBACK TO rowids; RELEASE rowids')
      // SQLite does not see that the schema has changed.
      db.pragma('writable_schema=ON')
      db.pragma('writable_schema=RESET')
      db.pragma(`query_only=${queryOnly}`)
    },
  }
}

/** Whether the rowids of a table count its rows from 1, as those that nobody names do at first. */
export function countsRows(db: Database, rootPage: number): boolean {
  const view = openRowidView(db, rootPage)
  try {
    const sql = `SELECT ifnull(min(rowid)=1 AND max(rowid)=count(*), 1) FROM ${view.name}`
    return db.prepare(sql).pluck().get() === 1
  } finally {
    view.close()
  }
}
