/** Full-text indexes over the content of other tables, which an application must keep in step with them. */

import type { Database } from 'better-sqlite3'
import { identifier } from '../dump/literal.ts'
import { moduleOverContent } from '../dump/virtual.ts'

/** Whether the database has an index that only a connection that can write compares with its content. */
export function needsWritableCheck(db: Database): boolean {
  const definitions = db
    .prepare("SELECT sql FROM main.sqlite_schema WHERE type='table' AND rootpage=0")
    .pluck()
  return (definitions.all() as string[]).some((sql) => moduleOverContent(sql) === 'fts5')
}

/** Whether a full-text index that holds the rows of its content table holds their words, too. `db` is private. */
export function matchesContent(db: Database, table: string, module: string | undefined): boolean {
  return module === 'fts5' ? matchesFts5(db, table) : matchesFts4(db, table)
}

/** The check is an INSERT that changes nothing: sqlite.org/fts5.html, section 6.6. */
function matchesFts5(db: Database, table: string): boolean {
  const queryOnly = db.pragma('query_only', { simple: true })
  db.pragma('query_only=OFF')
  const name = identifier(table)
  try {
    db.exec(`INSERT INTO main.${name}(${name},"rank") VALUES('integrity-check',1)`)
    return true
  } catch {
    return false
  } finally {
    db.pragma(`query_only=${queryOnly}`)
  }
}

function matchesFts4(db: Database, table: string): boolean {
  return db.pragma(`main.quick_check(${identifier(table)})`, { simple: true }) === 'ok'
}

/** Whether a finding of an integrity check is about an FTS3 or FTS4 index that is out of step with another table. */
export function isOutOfStep(db: Database, finding: string): boolean {
  const table = /^malformed inverted index for FTS[34] table main\.(.*)$/s.exec(finding)?.[1]
  if (table === undefined) return false
  const sql = db
    .prepare("SELECT sql FROM main.sqlite_schema WHERE type='table' AND name=?")
    .pluck()
    .get(table)
  return typeof sql === 'string' && moduleOverContent(sql) !== undefined
}
