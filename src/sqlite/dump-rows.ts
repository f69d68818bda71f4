/** Dumps the rows of one table as row files. */

import type { Database } from 'better-sqlite3'
import { Cutter, integerKeys, type Keys, literalKeys, positionKeys } from '../dump/cut.ts'
import { type Encoding, identifier } from '../dump/literal.ts'
import type { TableKey } from '../dump/manifest.ts'
import { pathPart } from '../dump/names.ts'
import { mostColumns, type RowSource } from '../dump/plan.ts'
import { rowFile, rowHeader } from '../dump/rows.ts'
import { RowbackError } from '../errors.ts'
import { renderRows } from './render.ts'
import { countQuery } from './row-query.ts'

/** One file of the dump; the path is relative to the database's folder. */
export interface DumpFile {
  path: string
  content: Buffer
  /** How many rows it holds. */
  rows: number
}

/** How many rows of a table the dump holds, and what identifies one. */
export interface TableRows {
  name: string
  rows: number
  key: TableKey
}

/** A dumped table; it is irregular if an INSERT as declared would refuse or change one of its rows. */
export interface DumpedTable extends TableRows {
  isIrregular: boolean
}

/** Yields the row files of one table and returns its counts. */
export function* dumpRows(
  db: Database,
  source: RowSource,
  encoding: Encoding,
): Generator<DumpFile, DumpedTable> {
  const header = Buffer.from(
    rowHeader(
      source.table,
      source.columns.map((column) => column.insert),
    ),
  )
  const folder = `30-rows/${pathPart(source.table)}`
  const cutter = new Cutter()
  const toFile = (chunk: { path: string; lines: Buffer[]; rows: number }): DumpFile => ({
    path: `${folder}/${chunk.path}.sql`,
    content: rowFile(header, chunk.lines),
    rows: chunk.rows,
  })
  const total = { rows: 0, irregular: 0 }
  const counted = db.prepare(countQuery(source)).pluck().get() as number
  if (source.columns.length > mostColumns) throw noRoom(source)
  if (source.countedRowid !== undefined) refuseUncounted(db, source, source.countedRowid)
  for (const batch of renderRows(db, source, encoding)) {
    for (const chunk of cutter.push(batch.lines, batch.ends, keysOf(source, total.rows))) yield toFile(chunk)
    total.rows += batch.ends.length
    total.irregular += batch.irregular
    if (total.rows > counted) throw otherCount(source, total.rows, counted)
  }
  for (const chunk of cutter.end()) yield toFile(chunk)
  if (total.rows !== counted) throw otherCount(source, total.rows, counted)
  if (total.irregular > 0) refuseNullKeys(db, source)
  return { name: source.table, rows: total.rows, key: tableKey(source), isIrregular: total.irregular > 0 }
}

/** Rows that no page gave, or two: verify cannot tell, as it dumps in the same way again. */
function otherCount({ table }: RowSource, dumped: number, counted: number): RowbackError {
  return new RowbackError(
    'fault',
    `dump table ${JSON.stringify(table)}: ${dumped} rows came of ${counted}; nothing was committed`,
  )
}

/** A NULL in the key of a WITHOUT ROWID table: no statement can put it there. */
function refuseNullKeys(db: Database, { table, key, keyColumns, columns }: RowSource): void {
  if (key !== 'literals') return
  const isNull = columns.slice(0, keyColumns).map(({ read }) => `typeof(${identifier(read)})='null'`)
  const sql = `SELECT 1 FROM main.${identifier(table)} NOT INDEXED WHERE ${isNull.join(' OR ')} LIMIT 1`
  if (db.prepare(sql).get() === undefined) return
  throw new RowbackError(
    'source',
    `dump table ${JSON.stringify(table)}: a row has NULL in its primary key, which no INSERT brings back; nothing was committed`,
  )
}

function refuseUncounted(db: Database, source: RowSource, rowid: string): void {
  const counted = `SELECT ifnull(min(${rowid})=1 AND max(${rowid})=count(*), 1) FROM main.${identifier(source.readFrom)}`
  if (db.prepare(counted).pluck().get() !== 1) throw noRoom(source)
}

function noRoom({ table }: RowSource): RowbackError {
  return new RowbackError(
    'source',
    `dump table ${JSON.stringify(table)}: its 2000 columns leave no room for rowids that have gaps; nothing was committed`,
  )
}

/** How the rows behind the first `before` are identified. */
function keysOf({ key, keyColumns }: RowSource, before: number): Keys {
  if (key === 'integer') return integerKeys
  return key === 'literals' ? literalKeys(keyColumns) : positionKeys(before)
}

function tableKey({ key, keyColumns, columns }: RowSource): TableKey {
  if (key === 'integer') return 'rowid'
  return key === 'ordinal' ? 'position' : columns.slice(0, keyColumns).map(({ insert }) => insert)
}
