/**
 * Renders the rows of a table as lines of SQL. Most rows are rendered by SQLite itself, several hundred a
 * query; what that cannot write exactly, it flags, and the page is rendered value by value. Both ways give
 * the same bytes.
 */

import type { Database, Statement } from 'better-sqlite3'
import { type Encoding, isText, isUtf8, textLiteral, type Value } from '../dump/literal.ts'
import { parseLiteral } from '../dump/parse-literal.ts'
import type { RowSource } from '../dump/plan.ts'
import { realLiteral } from '../dump/real.ts'
import { isRegular } from '../dump/regular.ts'
import { rowLiterals } from '../dump/rows.ts'
import type { Column } from '../dump/schema.ts'
import { RowbackError } from '../errors.ts'
import { openRowidView } from './hidden-rowids.ts'
import {
  BatchBuilder,
  type LongBlobs,
  longBlobsOf,
  type RawValue,
  type RowBatch,
  rowProblem,
} from './row-batch.ts'
import {
  flagByte,
  flagText,
  linesQuery,
  realFunction,
  type Start,
  signedRealFunction,
  valuesQuery,
} from './row-query.ts'
import { isSqliteError } from './sqlite-error.ts'

/** Rows that follow one another in key order. */
export interface RowRange {
  /** The literals of the first row's key; undefined for the first row of the table. */
  from: readonly string[] | undefined
  /** How many rows of the table come before it. */
  before: number
  count: number
}

export const allRows: RowRange = { from: undefined, before: 0, count: Number.POSITIVE_INFINITY }

const pageBytes = 256 * 1024
const pageRows = 4096
/** The rows of the first page, and of one behind a page that SQLite cannot write: others like it may follow. */
const firstPageRows = 16
/** At most so many rows are rendered value by value before SQLite is asked again. */
const pageValues = 512
/**
 * Renders rows of a source: yields those of a range, or all, in key order; a range only where the source can be read in
 * pages. Throws a `source` error for a row that no string or no INSERT can hold.
 */
export type Renderer = (range?: RowRange) => Generator<RowBatch>

/** What is prepared for one range serves all others of the source. */
export function renderer(db: Database, source: RowSource, encoding: Encoding): Renderer {
  const blobs = longBlobsOf(db)
  const pages = hasPages(source, encoding) ? pageRenderer(db, source, blobs) : undefined
  return function* (range = allRows) {
    try {
      yield* pages ? pages(range) : renderPass(db, source, new BatchBuilder(source, encoding, blobs), allRows)
    } catch (error) {
      const cause = rowProblem(error)
      if (cause === undefined) throw error
      const table = JSON.stringify(source.table)
      throw new RowbackError('source', `dump table ${table}: ${cause}; nothing was committed`)
    }
  }
}

function pageRenderer(
  db: Database,
  source: RowSource,
  blobs: LongBlobs,
): (range: RowRange) => Generator<RowBatch> {
  const batch = new BatchBuilder(source, 'UTF-8', blobs)
  db.function(realFunction, { deterministic: true, directOnly: true }, (value) =>
    realLiteral(value as number),
  )
  db.function(signedRealFunction, { deterministic: true, directOnly: true }, (value) =>
    Object.is(value, -0) ? flagText : realLiteral(value as number),
  )
  const prepare = preparer(db)
  // Of the page before, in whatever range: rows of one table are alike.
  let limit = firstPageRows
  return function* ({ from, before, count }) {
    let start: Start | undefined = from && {
      key: from.map((text) => parseLiteral(text)),
      isIncluded: true,
    }
    let rendered = 0
    while (rendered < count) {
      // A key that its column would convert cannot be compared with: the rest comes in one pass.
      if (start && !isRegularKey(start.key, source)) {
        return yield* renderPass(db, source, batch, { before: before + rendered, count: count - rendered })
      }
      const wanted = Math.min(limit, count - rendered)
      const page = renderPage(prepare, source, start, wanted, batch)
      // Rows that are much longer than those before: fewer of them are not too long.
      if (page === undefined) {
        limit = Math.max(1, Math.floor(wanted / 64))
        continue
      }
      if (page.ends.length === 0) return
      yield page
      rendered += page.ends.length
      start = { key: lastKey(page, source), isIncluded: false }
      if (page.ends.length < wanted) limit = firstPageRows
      else if (wanted === limit) limit = nextLimit(limit, page)
    }
  }
}

/** The next rows from a start on, at most `limit`; undefined where so many are more than SQLite can hold at once. */
function renderPage(
  prepare: Prepare,
  source: RowSource,
  start: Start | undefined,
  limit: number,
  batch: BatchBuilder,
): RowBatch | undefined {
  try {
    return renderLines(prepare, source, start, limit) ?? renderValues(prepare, source, start, limit, batch)
  } catch (error) {
    if (limit > 1 && isSqliteError(error) && error.code === 'SQLITE_TOOBIG') return undefined
    throw error
  }
}

/** Whether rows can be taken in pages, and so in ranges. */
export function hasPages(source: RowSource, encoding: Encoding): boolean {
  return source.pages && encoding === 'UTF-8'
}

function isRegularKey(key: readonly Value[], { columns }: RowSource): boolean {
  return key.every((value, index) => isRegular(value, columns[index]?.column as Column))
}

/** Twice as many rows, as long as they fill a page only. */
function nextLimit(limit: number, { lines, ends }: RowBatch): number {
  const bytesARow = lines.length / ends.length
  return Math.max(1, Math.min(pageRows, limit * 2, Math.floor(pageBytes / bytesARow)))
}

type Prepare = (sql: string) => Statement<unknown[], unknown>

/** Prepares each text once: pages run the same few statements many times. */
function preparer(db: Database): Prepare {
  const statements = new Map<string, Statement<unknown[], unknown>>()
  return (sql) => {
    const statement = statements.get(sql) ?? db.prepare(sql).raw().safeIntegers()
    statements.set(sql, statement)
    return statement
  }
}

/**
 * The next rows from a start on, at most `limit`, as far as SQLite can write them; undefined where that is not even
 * the first.
 */
function renderLines(
  prepare: Prepare,
  source: RowSource,
  start: Start | undefined,
  limit: number,
): RowBatch | undefined {
  const parameters = [...(start?.key ?? []).map(parameter), limit]
  const [lines] = prepare(linesQuery(source, start)).get(parameters) as [Buffer | null]
  return finishPage(lines ?? Buffer.alloc(0))
}

/** The next rows from a start on, at most `limit`, value by value. */
function renderValues(
  prepare: Prepare,
  source: RowSource,
  start: Start | undefined,
  limit: number,
  batch: BatchBuilder,
): RowBatch {
  const parameters = [...(start?.key ?? []).map(parameter), Math.min(limit, pageValues)]
  const rows = prepare(`${valuesQuery(source, start)} LIMIT likely(?)`).iterate(parameters)
  for (const row of rows as IterableIterator<RawValue[]>) {
    batch.add(row)
    if (batch.length >= pageBytes) break
  }
  return batch.finish()
}

function parameter(value: Value): bigint | number | Buffer | null {
  return isText(value) ? value.text : value
}

function lastKey({ lines, ends }: RowBatch, { keyColumns }: RowSource): Value[] {
  const start = ends.length > 1 ? (ends[ends.length - 2] as number) : 0
  const literals = rowLiterals(lines, start + 1, keyColumns)
  return literals.map((text) => parseLiteral(text))
}

/** Turns NUL-ended rows into lines, up to a flagged one; undefined where that is the first or a text is not UTF-8. */
function finishPage(bytes: Buffer): RowBatch | undefined {
  const ends: number[] = []
  for (let at = bytes.indexOf(0); at >= 0 && bytes[at + 1] !== flagByte; at = bytes.indexOf(0, at + 1))
    ends.push(at + 1)
  const lines = bytes.subarray(0, ends.at(-1) ?? 0)
  if ((lines.length === 0 && bytes.length > 0) || !isUtf8(lines)) return undefined
  if (lines.includes(0x0a) || lines.includes(0x0d)) return escapeLineEnds(lines, ends)
  for (const end of ends) lines[end - 1] = 0x0a
  return { lines, ends, irregular: 0 }
}

/** Rewrites the rows whose texts hold line ends. */
function escapeLineEnds(lines: Buffer, rowEnds: readonly number[]): RowBatch {
  const pieces: Buffer[] = []
  const ends: number[] = []
  let start = 0
  let length = 0
  for (const end of rowEnds) {
    lines[end - 1] = 0x0a
    let row = lines.subarray(start, end)
    if (row.indexOf(0x0a) < row.length - 1 || row.includes(0x0d))
      row = Buffer.from(escapeRow(row.toString('utf8')))
    pieces.push(row)
    length += row.length
    ends.push(length)
    start = end
  }
  return { lines: Buffer.concat(pieces, length), ends, irregular: 0 }
}

function escapeRow(line: string): string {
  return line.replace(/'(?:[^']|'')*'/g, (quoted) =>
    /[\r\n]/.test(quoted) ? textLiteral(quoted.slice(1, -1).replaceAll("''", "'")) : quoted,
  )
}

/** Renders value by value: the definition of what a row looks like. */
function* renderPass(
  db: Database,
  source: RowSource,
  batch: BatchBuilder,
  { before, count }: Pick<RowRange, 'before' | 'count'>,
): Generator<RowBatch> {
  const query = db
    .prepare(`${valuesQuery(source, undefined)} LIMIT ? OFFSET ?`)
    .raw()
    .safeIntegers()
  const limit = Number.isFinite(count) ? count : -1
  const rows = query.iterate(limit, before) as IterableIterator<RawValue[]>
  for (const row of withHiddenRowids(db, source, rows)) {
    batch.add(row)
    if (batch.length < pageBytes) continue
    yield batch.finish()
  }
  if (batch.length > 0) yield batch.finish()
}

/** The rows of a table, which come in the order of their rowids, each behind its rowid where that has no name. */
function* withHiddenRowids(
  db: Database,
  { hiddenRowid }: RowSource,
  rows: IterableIterator<RawValue[]>,
): Generator<RawValue[]> {
  if (hiddenRowid === undefined) return yield* rows
  const view = openRowidView(db, hiddenRowid)
  const rowids = db.prepare(`SELECT rowid FROM ${view.name} ORDER BY rowid`).pluck().safeIntegers()
  const each = rowids.iterate() as IterableIterator<bigint>
  try {
    for (const row of rows) yield [each.next().value as bigint, ...row]
  } finally {
    each.return?.()
    view.close()
  }
}
