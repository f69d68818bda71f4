/** Dumps the rows of one table as row files. */

import type { Database } from 'better-sqlite3'
import { releaseArrays } from '../buffers.ts'
import {
  type Chunk,
  Cutter,
  firstName,
  integerKeys,
  type Keys,
  literalKeys,
  positionKeys,
} from '../dump/cut.ts'
import { type Encoding, identifier } from '../dump/literal.ts'
import type { TableKey } from '../dump/manifest.ts'
import { pathPart } from '../dump/names.ts'
import { mostColumns, type RowSource } from '../dump/plan.ts'
import type { KnownChunk } from '../dump/reuse.ts'
import { rowFile, rowHeader } from '../dump/rows.ts'
import { RowbackError } from '../errors.ts'
import { KeyOrder } from './key-order.ts'
import { allRows, type Renderer, type RowRange, renderer } from './render.ts'
import { countQuery } from './row-query.ts'

/** One file of the dump; the path is relative to the database's folder. */
export interface DumpFile {
  path: string
  content: Buffer
  /** How many rows it holds. */
  rows: number
  /** The table whose chunk it is. */
  table?: string
}

/** A chunk of the last dump that still holds, maybe in another directory. */
export interface KeptFile extends Pick<KnownChunk, 'oid' | 'size' | 'rows'> {
  path: string
  table: string
}

/** What is to be done for one table: all its rows, or some steps in the order of its keys. */
export interface TableWork {
  source: RowSource
  steps?: TableStep[] | undefined
}

/**
 * A chunk that is kept, or rows to be rendered: the first of them begins the chunk `path`, the last of them has a key
 * of these literals.
 */
export type TableStep = { kept: KnownChunk } | { rows: RowRange; path: string; lastKey: string[] }

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
  { source, steps }: TableWork,
  encoding: Encoding,
): Generator<DumpFile | KeptFile, DumpedTable> {
  if (!steps) return yield* dumpAll(db, source, encoding)
  const render = renderer(db, source, encoding)
  const total = { rows: 0, irregular: 0 }
  let directory = firstName
  for (const step of steps) {
    const [inDirectory, name] = pathParts('kept' in step ? step.kept.path : step.path)
    if (inDirectory === name) directory = name
    if ('kept' in step) {
      const { oid, size, rows } = step.kept
      yield { path: chunkFile(source, `${directory}/${name}`), oid, size, rows, table: source.table }
      total.rows += rows
    } else {
      const cutter = new Cutter(directory, name)
      const { rows: range, lastKey } = step
      const asked = { cutter, order: keyOrder(db, source, encoding), range, count: range.count, lastKey }
      const { irregular } = yield* dumpRange(render, source, asked)
      directory = cutter.directory
      total.rows += range.count
      total.irregular += irregular
    }
  }
  return dumpedTable(db, source, total)
}

/** Yields the chunks of a whole table, whose rows SQLite counts in another way as well. */
function* dumpAll(db: Database, source: RowSource, encoding: Encoding): Generator<DumpFile, DumpedTable> {
  const count = db.prepare(countQuery(source)).pluck().get() as number
  if (source.columns.length > mostColumns) throw noRoom(source)
  if (source.countedRowid !== undefined) refuseUncounted(db, source, source.countedRowid)
  const asked = { cutter: new Cutter(), order: keyOrder(db, source, encoding), range: allRows, count }
  return dumpedTable(db, source, yield* dumpRange(renderer(db, source, encoding), source, asked))
}

function dumpedTable(db: Database, source: RowSource, { rows, irregular }: RangeTotal): DumpedTable {
  if (irregular > 0) refuseNullKeys(db, source)
  return { name: source.table, rows, key: tableKey(source), isIrregular: irregular > 0 }
}

interface RangeTotal {
  rows: number
  irregular: number
}

/** What a range is cut by, and what it must be. */
interface RangeOrder {
  cutter: Cutter
  order: KeyOrder | undefined
  range: RowRange
  count: number
  lastKey?: string[]
}

/** Of a WITHOUT ROWID table; rowids are looked at by quick_check, and where their pages have changed. */
function keyOrder(db: Database, source: RowSource, encoding: Encoding): KeyOrder | undefined {
  return source.key === 'literals' ? new KeyOrder(db, source, encoding) : undefined
}

/** Yields the chunks of a range, which must have that many rows and end with that key, and returns its counts. */
function* dumpRange(
  render: Renderer,
  source: RowSource,
  { cutter, order, range, count, lastKey }: RangeOrder,
): Generator<DumpFile, RangeTotal> {
  const header = Buffer.from(
    rowHeader(
      source.table,
      source.columns.map((column) => column.insert),
    ),
  )
  const toFile = ({ path, lines, rows }: Chunk): DumpFile => ({
    path: chunkFile(source, path),
    content: rowFile(header, lines),
    rows,
    table: source.table,
  })
  const total: RangeTotal = { rows: 0, irregular: 0 }
  let lastLine: Buffer = Buffer.alloc(0)
  /** Batches that the chunk which is under way may have lines of. */
  const batches: Buffer[] = []
  for (const { lines, ends, irregular } of render(range)) {
    order?.take(lines, ends)
    const chunks = cutter.push(lines, ends, keysOf(source, total.rows))
    for (const chunk of chunks) yield toFile(chunk)
    if (chunks.length > 0) releaseArrays(batches.splice(0))
    batches.push(lines)
    total.rows += ends.length
    total.irregular += irregular
    lastLine = lines.subarray(ends.at(-2) ?? 0, ends.at(-1))
    if (total.rows > count) break
  }
  if (total.rows !== count) order?.refuseDisorder()
  if (total.rows !== count) throw faultOf(source, `${total.rows} rows came of ${count}`)
  if (lastKey && !isSameKey(lastLine, lastKey))
    throw faultOf(source, 'its rows do not end where its pages do')
  for (const chunk of cutter.end()) yield toFile(chunk)
  releaseArrays(batches)
  return total
}

/** Whether a row line begins with these literals. */
function isSameKey(line: Buffer, key: readonly string[]): boolean {
  const start = Buffer.from(`,(${key.join(',')}`)
  const behind = line[start.length]
  return line.subarray(0, start.length).equals(start) && (behind === 0x2c || behind === 0x29)
}

/** The file of a chunk, relative to the database's folder. */
function chunkFile({ table }: RowSource, path: string): string {
  return `30-rows/${pathPart(table)}/${path}.sql`
}

/** The path of a chunk, as `KnownChunk` has it. */
export function chunkPath(file: string): string {
  return file.split('/').slice(2).join('/').slice(0, -4)
}

function pathParts(path: string): [directory: string, name: string] {
  const [directory = '', name = ''] = path.split('/')
  return [directory, name]
}

/** Rows that no page gave, or two: verify cannot tell, as it dumps in the same way again. */
function faultOf({ table }: RowSource, cause: string): RowbackError {
  return new RowbackError('fault', `dump table ${JSON.stringify(table)}: ${cause}; nothing was committed`)
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
