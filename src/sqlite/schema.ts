/** Reads the schema of an open database into plain facts; IO by SQLite only, and nothing is decided here. */

import SQLite, { type Database } from 'better-sqlite3'
import { lowerCase } from '../dump/ascii.ts'
import type { Original } from '../dump/legible.ts'
import { decodeText, type Encoding, identifier } from '../dump/literal.ts'
import {
  type Column,
  columnAffinity,
  type PrimaryKeyColumn,
  rowidName,
  type Schema,
  type SchemaObject,
  type Table,
} from '../dump/schema.ts'
import { RowbackError } from '../errors.ts'
import { countsRows } from './hidden-rowids.ts'

/**
 * Reads all of `sqlite_schema`, the columns of its tables and the settings of the header. `originals` is what
 * `makeLegible` has rewritten.
 */
export function readSchema(db: Database, originals: readonly Original[]): Schema {
  const objects = readObjects(db)
  const autoIndexes = autoIndexesByTable(objects)
  const kinds = new Map(pragma(db, 'main.table_list').map((row) => [row.name as string, row]))
  const tables = objects
    .filter((object) => object.type === 'table' && !isVirtual(object) && !isSystem(object.name))
    .map((object) => readTable(db, object, autoIndexes, kinds.get(object.name)))
  return { objects, tables, settings: readSettings(db), originals }
}

function readSettings(db: Database): Schema['settings'] {
  const value = (name: string): number | string => db.pragma(name, { simple: true }) as number | string
  return {
    encoding: value('encoding') as Encoding,
    pageSize: Number(value('page_size')),
    autoVacuum: Number(value('auto_vacuum')),
    userVersion: Number(value('user_version')),
    applicationId: Number(value('application_id')),
  }
}

/** One row of `sqlite_schema` as it stands, names and text checked to be representable. */
function readObjects(db: Database): SchemaObject[] {
  const rows = db
    .prepare(
      `SELECT type, name, tbl_name, sql, CAST(name AS BLOB), CAST(tbl_name AS BLOB), CAST(sql AS BLOB), rootpage
       FROM main.sqlite_schema ORDER BY rowid`,
    )
    .raw()
    .all() as [string, string, string, string | null, Buffer, Buffer, Buffer | null, number | null][]
  const encoding = db.pragma('encoding', { simple: true }) as Encoding
  return rows.map(([type, name, tableName, sql, ...bytes]) => {
    refuseInvalidText(type, name, bytes.slice(0, 3) as (Buffer | null)[], encoding)
    return {
      type: type as SchemaObject['type'],
      name,
      tableName,
      sql,
      rootPage: (bytes[3] as number | null) ?? 0,
    }
  })
}

function refuseInvalidText(type: string, name: string, texts: (Buffer | null)[], encoding: Encoding): void {
  if (texts.every((bytes) => bytes === null || decodeText(bytes, encoding) !== undefined)) return
  throw new RowbackError(
    'source',
    `dump ${type} ${JSON.stringify(name)}: its name or definition holds a NUL or is not valid ${encoding}; nothing was committed`,
  )
}

/** Whether a schema row is a virtual table: it has no pages of its own. */
export function isVirtual(object: SchemaObject): boolean {
  return object.type === 'table' && object.rootPage === 0
}

/** Whether SQLite itself keeps the table: `sqlite_sequence`, `sqlite_stat1` and the like. */
export function isSystem(name: string): boolean {
  return /^sqlite_/i.test(name)
}

type PragmaRow = Record<string, unknown>

function pragma(db: Database, text: string): PragmaRow[] {
  return db.pragma(text) as PragmaRow[]
}

function readTable(
  db: Database,
  object: SchemaObject,
  autoIndexes: ReadonlyMap<string, string[]>,
  kind: PragmaRow | undefined,
): Table {
  if (!kind)
    throw new RowbackError(
      'source',
      `dump table ${JSON.stringify(object.name)}: its definition cannot be read; nothing was committed`,
    )
  const { name, rootPage } = object
  const strict = kind.strict === 1
  const columns = readColumns(db, name, strict)
  const withoutRowid = kind.wr === 1
  const indexes = pragma(db, `main.index_list(${quoted(name)})`)
  const keyIndex = indexes.find((index) => index.origin === 'pk')
  const keyed = columns.filter((column) => column.keyPosition > 0)
  const rowidColumn = !withoutRowid && !keyIndex && keyed.length === 1 ? (keyed[0] as Column).name : undefined
  const isNamed = withoutRowid || rowidColumn !== undefined || rowidName(columns) !== undefined
  return {
    object,
    columns,
    withoutRowid,
    strict,
    rowidColumn,
    hidesRowid: !isNamed && !countsRows(db, rootPage),
    primaryKey: withoutRowid && keyIndex ? readKey(db, object, keyIndex.name as string, columns) : [],
    keyIndex: withoutRowid ? (keyIndex?.name as string) : undefined,
    autoIndexes: autoIndexes.get(lowerCase(name)) ?? [],
  }
}

/** The indexes that SQLite has made by itself, by the name of their table in lower case. */
function autoIndexesByTable(objects: readonly SchemaObject[]): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const { type, name, tableName, sql } of objects) {
    if (type !== 'index' || sql !== null) continue
    const table = lowerCase(tableName)
    found.set(table, [...(found.get(table) ?? []), name])
  }
  return found
}

function readColumns(db: Database, table: string, strict: boolean): Column[] {
  return pragma(db, `main.table_xinfo(${quoted(table)})`).map((row) => ({
    name: row.name as string,
    type: row.type as string,
    affinity: columnAffinity(row.type as string, strict),
    notNull: row.notnull === 1,
    keyPosition: row.pk as number,
    generated: row.hidden === 2 ? 'virtual' : row.hidden === 3 ? 'stored' : undefined,
    hidden: row.hidden === 1,
  }))
}

function readKey(
  db: Database,
  { name, sql }: SchemaObject,
  index: string,
  columns: readonly Column[],
): PrimaryKeyColumn[] {
  const rows = keyRows(db, index)
  const isIgnored = /\bdesc\b/i.test(sql ?? '') && rows.every((row) => row.desc === 0)
  const replayed = isIgnored ? replayedKeyRows(sql ?? '', name) : rows
  return rows.map((row, at) => ({
    name: (columns[row.cid as number] as Column).name,
    descending: replayed[at]?.desc === 1,
    collation: row.coll as string,
  }))
}

function keyRows(db: Database, index: string): PragmaRow[] {
  return pragma(db, `main.index_xinfo(${quoted(index)})`).filter((row) => row.key === 1)
}

/**
 * The same of a table that is made anew. A database of a schema format below 4 (sqlite.org/fileformat2, section 1.3.12) ignores
 * DESC until its next VACUUM, while a replay makes one of format 4: the rows must be in the order of that.
 */
function replayedKeyRows(sql: string, table: string): PragmaRow[] {
  const db = new SQLite(':memory:')
  try {
    db.prepare(sql).run()
    const index = pragma(db, `index_list(${quoted(table)})`).find(({ origin }) => origin === 'pk')
    return index === undefined ? [] : keyRows(db, index.name as string)
  } catch {
    // It needs what a fresh database has not, and no replay would come to the end either.
    return []
  } finally {
    db.close()
  }
}

/** The columns of a virtual table, or undefined where its module is not loaded or it cannot be opened. */
export function readVirtualColumns(db: Database, table: string): Column[] | undefined {
  try {
    const columns = readColumns(db, table, false)
    db.prepare(`SELECT 1 FROM main.${identifier(table)} LIMIT 0`).all()
    return columns
  } catch {
    return undefined
  }
}

function quoted(name: string): string {
  return `'${name.replaceAll("'", "''")}'`
}

/**
 * Names of tables as the database has them: SQLite folds the case of ASCII letters. A name that no table has stays as it is, and is
 * among the `unknown` ones.
 */
export function namesOfTables(
  db: Database,
  names: readonly string[],
): { names: string[]; unknown: string[] } {
  if (names.length === 0) return { names: [], unknown: [] }
  const tables = db
    .prepare("SELECT name FROM main.sqlite_schema WHERE type='table'")
    .pluck()
    .all() as string[]
  const byFolded = new Map(tables.map((name) => [lowerCase(name), name]))
  const found = names.map((name) => byFolded.get(lowerCase(name)))
  return {
    names: [...new Set(names.map((name, index) => found[index] ?? name))],
    unknown: names.filter((_, index) => found[index] === undefined),
  }
}
