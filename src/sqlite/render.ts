/**
 * Renders the rows of a table as lines of SQL. Most rows are rendered by SQLite itself, several hundred a
 * query; what that cannot write exactly, it flags, and the range is rendered value by value. Both ways give
 * the same bytes.
 */

import type { Database } from 'better-sqlite3'
import { type Encoding, identifier, isUtf8, literal, textLiteral, type Value } from '../dump/literal.ts'
import type { RowSource } from '../dump/plan.ts'
import { realLiteral } from '../dump/real.ts'
import { isRegular } from '../dump/regular.ts'
import type { Affinity, Column } from '../dump/schema.ts'

/** Row lines, each `,(…)` and a line feed. */
export interface RowBatch {
  lines: Buffer
  /** The offset behind each line. */
  ends: number[]
  /** How many of the rows an INSERT into the table as declared would refuse or change. */
  irregular: number
}

const batchBytes = 256 * 1024
const batchRows = 512
/** Values above this are rendered one by one, so that a batch of rows stays small. */
const longValueBytes = 65535

/** Yields the rows of a source in key order. */
export function* renderRows(db: Database, source: RowSource, encoding: Encoding): Generator<RowBatch> {
  if (!source.ranges || encoding !== 'UTF-8') return yield* renderValues(db, source, encoding)
  registerReal(db)
  const query = db.prepare(batchQuery(source)).raw().safeIntegers()
  let from = -(2n ** 63n)
  let limit = 16
  for (;;) {
    const [lines, last, rows] = query.get(from, limit) as [Buffer | null, bigint, bigint]
    if (lines === null) return
    const batch = finishBatch(lines)
    if (batch) yield batch
    else yield* renderValues(db, source, encoding, { from, to: last })
    if (last === 2n ** 63n - 1n || rows < limit) return
    from = last + 1n
    limit = Math.max(
      1,
      Math.min(batchRows, limit * 2, Math.floor((batchBytes * Number(rows)) / lines.length)),
    )
  }
}

const realFunction = 'rowback_real'
const registered = new WeakSet<Database>()

function registerReal(db: Database): void {
  if (registered.has(db)) return
  db.function(realFunction, { deterministic: true, directOnly: true }, (value) =>
    realLiteral(value as number),
  )
  registered.add(db)
}

/** A query for (lines, last key, count) of up to ? rows from key ? on; a row ends in NUL. */
function batchQuery(source: RowSource): string {
  const key = source.orderBy[0] as string
  const values = source.columns.map(({ read, column }) => fastLiteral(identifier(read), column))
  const row = concat([
    `',('`,
    ...values.flatMap((value, index) => (index > 0 ? [`','`, value] : [value])),
    `')'||char(0)`,
  ])
  return `SELECT CAST(group_concat(x,'') AS BLOB), max(k), count(*) FROM (
    SELECT ${row} AS x, ${key} AS k FROM main.${identifier(source.readFrom)} NOT INDEXED
    WHERE ${key} >= ? ORDER BY ${key} LIMIT ?)`
}

/** concat() of any number of terms: a call takes at most 1,000 of them. */
function concat(terms: string[]): string {
  if (terms.length <= 900) return `concat(${terms.join(',')})`
  const groups: string[] = []
  for (let at = 0; at < terms.length; at += 900) groups.push(concat(terms.slice(at, at + 900)))
  return concat(groups)
}

/** Behind the NUL of this mark stands no row: the range must be rendered value by value. */
const flag = `char(0)||'!'`

/** An expression for the literal of a column, or the flag. */
function fastLiteral(name: string, column: Column): string {
  const nullValue = column.notNull ? flag : `'NULL'`
  const branches: Record<string, string> = {
    integer: `WHEN 'integer' THEN ${accepts(column, 'integer') ? name : flag}`,
    real: `WHEN 'real' THEN ${fastReal(name, column.affinity)}`,
    text: `WHEN 'text' THEN ${fastText(name, column.affinity)}`,
    null: `WHEN 'null' THEN ${nullValue}`,
  }
  const blob = accepts(column, 'blob')
    ? `iif(octet_length(${name})>${longValueBytes},${flag},quote(${name}))`
    : flag
  const order = branchOrder[column.affinity]
  return `CASE typeof(${name}) ${order.map((kind) => branches[kind]).join(' ')} ELSE ${blob} END`
}

/** The likeliest storage class first. */
const branchOrder: Record<Affinity, string[]> = {
  integer: ['integer', 'null', 'text', 'real'],
  numeric: ['text', 'integer', 'real', 'null'],
  real: ['real', 'null', 'text', 'integer'],
  text: ['text', 'null', 'integer', 'real'],
  none: ['text', 'integer', 'null', 'real'],
  'strict integer': ['integer', 'null', 'text', 'real'],
  'strict real': ['real', 'null', 'text', 'integer'],
  'strict text': ['text', 'null', 'integer', 'real'],
  'strict blob': ['null', 'text', 'integer', 'real'],
}

function accepts(column: Column, kind: 'integer' | 'blob'): boolean {
  return isRegular(kind === 'integer' ? 1n : Buffer.alloc(0), column)
}

/** quote() stops at a NUL, as does format('%s'): the flag for that and for long texts in one comparison. */
function fastText(name: string, affinity: Affinity): string {
  if (affinity.startsWith('strict') && affinity !== 'strict text') return flag
  const whole = `octet_length(format('%.${longValueBytes}s',${name}))=octet_length(${name})`
  const numeric = affinity === 'integer' || affinity === 'numeric' || affinity === 'real'
  // The comparison gives the text numeric affinity; what stays text sorts behind every number.
  const stays = numeric ? `CAST(9e999 AS REAL) COLLATE BINARY<+${name} AND ` : ''
  return `iif(${stays}${whole},quote(${name}),${flag})`
}

/** Up to four decimals quote() prints what `realLiteral` prints, and any SQLite reads back; the rest is ours. */
function fastReal(name: string, affinity: Affinity): string {
  if (affinity === 'text' || (affinity.startsWith('strict') && affinity !== 'strict real')) return flag
  // Arithmetic, unlike the bare column, takes no collation, which may be the application's own.
  const value = `${name}*1.0`
  const short = `${value}<>0 AND abs(${name})<1e11 AND round(${name}*10000)/10000.0=${value}`
  const literalOf = `iif(${short},quote(${name}),${realFunction}(${name}))`
  if (affinity !== 'integer' && affinity !== 'numeric') return literalOf
  return `iif(${value}=CAST(${name} AS INTEGER),${flag},${literalOf})`
}

/** Turns NUL-ended rows into lines; undefined where a row is flagged or a text is not valid UTF-8. */
function finishBatch(bytes: Buffer): RowBatch | undefined {
  if (!isUtf8(bytes)) return undefined
  const escapes = bytes.includes(0x0a) || bytes.includes(0x0d)
  const ends: number[] = []
  for (let at = bytes.indexOf(0); at >= 0; at = bytes.indexOf(0, at + 1)) {
    if (bytes[at + 1] === 0x21) return undefined
    if (!escapes) bytes[at] = 0x0a
    ends.push(at + 1)
  }
  const batch = { lines: bytes, ends, irregular: 0 }
  return escapes ? escapeLineEnds(batch) : batch
}

/** Rewrites the rows whose texts hold line ends. */
function escapeLineEnds({ lines, ends }: RowBatch): RowBatch {
  const pieces: Buffer[] = []
  const newEnds: number[] = []
  let start = 0
  let length = 0
  for (const end of ends) {
    lines[end - 1] = 0x0a
    let row = lines.subarray(start, end)
    if (row.indexOf(0x0a) < row.length - 1 || row.includes(0x0d))
      row = Buffer.from(escapeRow(row.toString('utf8')))
    pieces.push(row)
    length += row.length
    newEnds.push(length)
    start = end
  }
  return { lines: Buffer.concat(pieces, length), ends: newEnds, irregular: 0 }
}

function escapeRow(line: string): string {
  return line.replace(/'(?:[^']|'')*'/g, (quoted) =>
    /[\r\n]/.test(quoted) ? textLiteral(quoted.slice(1, -1).replaceAll("''", "'")) : quoted,
  )
}

/** Renders value by value: the definition of what a row looks like. */
function* renderValues(
  db: Database,
  source: RowSource,
  encoding: Encoding,
  range?: { from: bigint; to: bigint },
): Generator<RowBatch> {
  const query = db
    .prepare(valuesQuery(source, range !== undefined))
    .raw()
    .safeIntegers()
  const rows = (range ? query.iterate(range.from, range.to) : query.iterate()) as IterableIterator<RawValue[]>
  const columns = source.columns.map(({ column }) => column)
  let batch = new BatchBuilder()
  for (const raw of rows) {
    const values = raw.map(toValue)
    const irregular = values.some((value, index) => !isRegular(value, columns[index] as Column))
    const line = `,(${values.map((value) => literal(value, encoding)).join(',')})\n`
    batch.add(Buffer.from(line), irregular)
    if (batch.length >= batchBytes) {
      yield batch.finish()
      batch = new BatchBuilder()
    }
  }
  if (batch.length > 0) yield batch.finish()
}

/** Text comes as a Buffer of its bytes, a blob as its hexadecimal digits, so that every class is told apart. */
type RawValue = null | bigint | number | string | Buffer

function toValue(raw: RawValue): Value {
  if (Buffer.isBuffer(raw)) return { text: raw }
  return typeof raw === 'string' ? Buffer.from(raw, 'hex') : raw
}

function valuesQuery(source: RowSource, ranged: boolean): string {
  const values = source.columns.map(({ read }) => {
    const name = identifier(read)
    return `CASE typeof(${name}) WHEN 'text' THEN CAST(${name} AS BLOB) WHEN 'blob' THEN hex(${name}) ELSE ${name} END`
  })
  const key = source.orderBy[0]
  const where = ranged ? `WHERE ${key} BETWEEN ? AND ?` : ''
  const order = source.orderBy.length > 0 ? `ORDER BY ${source.orderBy.join(',')}` : ''
  return `SELECT ${values.join(',')} FROM main.${identifier(source.readFrom)} NOT INDEXED ${where} ${order}`
}

class BatchBuilder {
  length = 0
  private lines: Buffer[] = []
  private ends: number[] = []
  private irregular = 0

  add(line: Buffer, irregular: boolean): void {
    this.lines.push(line)
    this.length += line.length
    this.ends.push(this.length)
    if (irregular) this.irregular += 1
  }

  finish(): RowBatch {
    return { lines: Buffer.concat(this.lines, this.length), ends: this.ends, irregular: this.irregular }
  }
}
