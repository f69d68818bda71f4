/** Makes the schema of a private database legible: JavaScript can only name what is valid UTF-8. */

import type { Database } from 'better-sqlite3'
import { hasStandIns, isLegible, legible, legibleDefinition, type Original } from '../dump/legible.ts'
import { decodeText } from '../dump/literal.ts'
import { byName } from '../dump/plan.ts'
import type { SchemaObject } from '../dump/schema.ts'
import { RowbackError } from '../errors.ts'

/** Whether SQL can name every object of a database as it is. */
export function hasLegibleSchema(db: Database): boolean {
  return illegibleRows(db).length === 0
}

/**
 * Rewrites names and definitions that are not legible in `db`, which is private and can be written, and returns what
 * they were, by name. Throws a `source` error for a default that its column's rows would lose.
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
  for (const { type, legibleName, rootPage } of rows)
    if (type === 'table' && rootPage) refuseIllegibleDefaults(db, legibleName)
  return byName(
    rows.map(({ rowid, rootPage, ...original }) => original),
    ({ type, legibleName }) => `${legibleName} ${type}`,
  )
}

type SchemaRow = Original & { rowid: bigint; rootPage: bigint | null }

/** The rows of `sqlite_schema` that are not legible, if one is not even UTF-8; of UTF-16, SQLite makes that itself. */
function illegibleRows(db: Database): SchemaRow[] {
  if (db.pragma('encoding', { simple: true }) !== 'UTF-8') return []
  const rows = db
    .prepare(
      'SELECT rowid, rootpage, type, CAST(name AS BLOB), CAST(tbl_name AS BLOB), CAST(sql AS BLOB) FROM main.sqlite_schema',
    )
    .raw()
    .safeIntegers()
    .all() as [bigint, bigint | null, SchemaObject['type'], Buffer, Buffer, Buffer | null][]
  const all = rows.map(([rowid, rootPage, type, name, tableName, sql]) => {
    return { rowid, rootPage, type, legibleName: legible(name), name, tableName, sql }
  })
  return all.some((row) => textsOf(row).some((text) => decodeText(text, 'UTF-8') === undefined))
    ? all.filter((row) => !textsOf(row).every(isLegible))
    : []
}

function textsOf({ name, tableName, sql }: Original): Buffer[] {
  return sql ? [name, tableName, sql] : [name, tableName]
}

/** A default that is no plain string: rows from before its column was added would show another value. */
function refuseIllegibleDefaults(db: Database, table: string): void {
  const columns = db.prepare('SELECT name, dflt_value FROM pragma_table_xinfo(?)').raw().all(table)
  const changed = (columns as [string, string | null][]).find(([, value]) => hasStandIns(value ?? ''))
  if (!changed) return
  throw new RowbackError(
    'source',
    `dump table ${JSON.stringify(table)}: the default of its column ${JSON.stringify(changed[0])} is an expression that is not valid UTF-8; nothing was committed`,
  )
}
