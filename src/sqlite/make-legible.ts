/** Makes the schema of a private database legible: JavaScript can only name what is valid UTF-8. */

import type { Database } from 'better-sqlite3'
import { isLegible, legible, legibleDefinition, type Original } from '../dump/legible.ts'
import { byName } from '../dump/plan.ts'
import type { SchemaObject } from '../dump/schema.ts'

/** Whether SQL can name every object of a database as it is. */
export function hasLegibleSchema(db: Database): boolean {
  return illegibleRows(db).length === 0
}

/**
 * Rewrites names and definitions that are not legible in `db`, which is private and can be written, and returns what
 * they were, by name.
 */
export function makeLegible(db: Database): Original[] {
  const rows = illegibleRows(db)
  if (rows.length === 0) return []
  db.pragma('writable_schema=ON')
  db.transaction(() => {
    const update = db.prepare('UPDATE main.sqlite_schema SET name=?, tbl_name=?, sql=? WHERE rowid=?')
    for (const { rowid, name, tableName, sql } of rows)
      update.run(legible(name), legible(tableName), sql && legibleDefinition(sql), rowid)
  })()
  db.pragma('writable_schema=RESET')
  return byName(
    rows.map(({ rowid, ...original }) => original),
    ({ type, legibleName }) => `${legibleName} ${type}`,
  )
}

/** The rows of `sqlite_schema` that are not legible. Of UTF-16, SQLite makes valid UTF-8 by itself. */
function illegibleRows(db: Database): (Original & { rowid: bigint })[] {
  if (db.pragma('encoding', { simple: true }) !== 'UTF-8') return []
  const rows = db
    .prepare(
      'SELECT rowid, type, CAST(name AS BLOB), CAST(tbl_name AS BLOB), CAST(sql AS BLOB) FROM main.sqlite_schema',
    )
    .raw()
    .safeIntegers()
    .all() as [bigint, SchemaObject['type'], Buffer, Buffer, Buffer | null][]
  return rows
    .filter(([, , ...texts]) => texts.some((text) => text !== null && !isLegible(text)))
    .map(([rowid, type, name, tableName, sql]) => ({
      rowid,
      type,
      legibleName: legible(name),
      name,
      tableName,
      sql,
    }))
}
