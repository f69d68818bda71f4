/**
 * Renders the rows of a table as lines of SQL. Most rows are rendered by SQLite itself, several hundred a
 * query; what that cannot write exactly, it flags, and the page is rendered value by value. Both ways give
 * the same bytes.
 */

import SQLite, { type Database, type Statement } from 'better-sqlite3'
import { release } from '../buffers.ts'
import { type Encoding, isUtf8, literal, type TextBytes, textLiteral, type Value } from '../dump/literal.ts'
import { type LongLiteral, longLiteral } from '../dump/long-literal.ts'
import { parseLiteral } from '../dump/parse-literal.ts'
import type { RowSource } from '../dump/plan.ts'
import { realLiteral } from '../dump/real.ts'
import { isRegular } from '../dump/regular.ts'
import { rowLiterals } from '../dump/rows.ts'
import type { Column } from '../dump/schema.ts'
import { RowbackError } from '../errors.ts'
import { openRowidView } from './hidden-rowids.ts'
import { flagByte, linesQuery, longBlobFunction, realFunction, type Start, valuesQuery } from './row-query.ts'

/** Row lines, each `,(…)` and a line feed. */
export interface RowBatch {
  lines: Buffer
  /** The offset behind each line. */
  ends: number[]
  /** How many of the rows an INSERT into the table as declared would refuse or change. */
  irregular: number
}

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
/** A reader may refuse a longer row file (docs/format.md), and a replay without us a longer statement. */
const longestLineBytes = 500_000_000
/** The literals of texts and blobs from this size on are not made as strings. */
const longValueBytes = 2 ** 20

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
      const cause = tooLong(error) ?? halfUnit(error)
      if (cause === undefined) throw error
      const table = JSON.stringify(source.table)
      throw new RowbackError('source', `dump table ${table}: ${cause}; nothing was committed`)
    }
  }
}

class TooLong extends Error {}

function tooLong(error: unknown): string | undefined {
  if (error instanceof TooLong) return `its row ${error.message} takes more than 500 MB of SQL`
  const isTooLong =
    error instanceof RangeError || (error instanceof SQLite.SqliteError && error.code === 'SQLITE_TOOBIG')
  return isTooLong ? 'a row of it takes more than 500 MB of SQL' : undefined
}

class HalfUnit extends Error {}

function halfUnit(error: unknown): string | undefined {
  return error instanceof HalfUnit
    ? 'a text of it ends in half a unit of UTF-16, which no INSERT brings back'
    : undefined
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
      const page =
        renderLines(prepare, source, start, wanted) ?? renderValues(prepare, source, start, wanted, batch)
      if (page.ends.length === 0) return
      yield page
      rendered += page.ends.length
      start = { key: lastKey(page, source), isIncluded: false }
      if (page.ends.length < wanted) limit = firstPageRows
      else if (wanted === limit) limit = nextLimit(limit, page)
    }
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
  return value !== null && typeof value === 'object' && 'text' in value ? value.text : value
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

/** A value as `valuesQuery` gives it. */
type RawValue = null | bigint | number | string | Buffer

function endsInHalfUnit(value: Value): boolean {
  return value !== null && typeof value === 'object' && 'text' in value && value.text.length % 2 === 1
}

/** Long blobs of the row that is being read: SQLite hands them to a function, and the row names them by what that returns. */
class LongBlobs {
  private readonly blobs = new Map<string, Buffer>()
  private count = 0

  constructor(db: Database) {
    db.function(longBlobFunction, { directOnly: true }, (blob) => {
      const name = `${longBlobMark}${this.count++}`
      this.blobs.set(name, blob as Buffer)
      return name
    })
  }

  take(name: string): Buffer {
    const blob = this.blobs.get(name) as Buffer
    this.blobs.delete(name)
    return blob
  }
}

/** No digit. */
const longBlobMark = 'L'

const longBlobs = new WeakMap<Database, LongBlobs>()

/** SQLite lets no function be defined anew while a statement runs. */
function longBlobsOf(db: Database): LongBlobs {
  const found = longBlobs.get(db) ?? new LongBlobs(db)
  longBlobs.set(db, found)
  return found
}

/** Collects rows, batch by batch. */
class BatchBuilder {
  length = 0
  private lines: Buffer[] = []
  private ends: number[] = []
  private irregular = 0
  private readonly columns: readonly Column[]

  constructor(
    private readonly source: RowSource,
    private readonly encoding: Encoding,
    private readonly blobs: LongBlobs,
  ) {
    this.columns = source.columns.map(({ column }) => column)
  }

  add(row: readonly RawValue[]): void {
    const values = row.map((raw) => this.toValue(raw))
    if (this.encoding !== 'UTF-8' && values.some(endsInHalfUnit)) throw new HalfUnit()
    if (values.some((value, index) => !isRegular(value, this.columns[index] as Column))) this.irregular += 1
    const line = this.line(values)
    for (const value of values) if (isLong(value)) release(Buffer.isBuffer(value) ? value : value.text)
    this.lines.push(line)
    this.length += line.length
    this.ends.push(this.length)
  }

  /** What was collected since the last batch. */
  finish(): RowBatch {
    const { lines: pieces, length, ends, irregular } = this
    const [first] = pieces
    const lines = first !== undefined && pieces.length === 1 ? first : Buffer.concat(pieces, length)
    if (pieces.length > 1 && length > longValueBytes) pieces.forEach(release)
    this.lines = []
    this.ends = []
    this.length = 0
    this.irregular = 0
    return { lines, ends, irregular }
  }

  private toValue(raw: RawValue): Value {
    if (Buffer.isBuffer(raw)) return { text: raw }
    if (typeof raw !== 'string') return raw
    return raw.startsWith(longBlobMark) ? this.blobs.take(raw) : Buffer.from(raw, 'hex')
  }

  private line(values: readonly Value[]): Buffer {
    const literals = values.map((value) =>
      isLong(value) && (Buffer.isBuffer(value) || this.encoding === 'UTF-8')
        ? longLiteral(value)
        : literal(value, this.encoding),
    )
    if (literals.every((one) => typeof one === 'string')) {
      const line = Buffer.from(`,(${literals.join(',')})\n`)
      if (line.length > longestLineBytes) throw this.tooLong(values)
      return line
    }
    return longLine(literals, () => this.tooLong(values))
  }

  private tooLong(values: readonly Value[]): TooLong {
    const key = values.slice(0, this.source.keyColumns).map((value) => literal(value, this.encoding))
    return new TooLong(key.join(',').slice(0, longestKey))
  }
}

/** Of a key that an error tells, in characters. */
const longestKey = 100

function isLong(value: Value): value is Buffer | TextBytes {
  if (value === null || typeof value !== 'object') return false
  return (Buffer.isBuffer(value) ? value : value.text).length >= longValueBytes
}

/** A line in a buffer of its own. */
function longLine(literals: readonly (string | LongLiteral)[], tooLong: () => TooLong): Buffer {
  const sizes = literals.map((one) => (typeof one === 'string' ? Buffer.byteLength(one) : one.length))
  const length = sizes.reduce((sum, bytes) => sum + bytes + 1, 3)
  if (length > longestLineBytes) throw tooLong()
  const line = Buffer.allocUnsafeSlow(length)
  let at = line.write(',(')
  literals.forEach((one, index) => {
    if (index > 0) at += line.write(',', at)
    at = typeof one === 'string' ? at + line.write(one, at) : one.write(line, at)
  })
  line.write(')\n', at)
  return line
}
