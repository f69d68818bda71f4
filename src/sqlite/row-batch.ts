/** Lines of SQL that are made value by value: the definition of what a row looks like. */

import type { Database } from 'better-sqlite3'
import { release } from '../buffers.ts'
import { type Encoding, isText, literal, type TextBytes, type Value } from '../dump/literal.ts'
import { type LongLiteral, longLiteral } from '../dump/long-literal.ts'
import type { RowSource } from '../dump/plan.ts'
import { isRegular } from '../dump/regular.ts'
import type { Column } from '../dump/schema.ts'
import { longBlobFunction, longValueBytes } from './row-query.ts'
import { isSqliteError } from './sqlite-error.ts'

/** A reader may refuse a longer row file (docs/format.md), and a replay without us a longer statement. */
const longestLineBytes = 500_000_000

/** Row lines, each `,(…)` and a line feed. */
export interface RowBatch {
  lines: Buffer
  /** The offset behind each line. */
  ends: number[]
  /** How many of the rows an INSERT into the table as declared would refuse or change. */
  irregular: number
}

/** A value as `valuesQuery` gives it. */
export type RawValue = null | bigint | number | string | Buffer

function endsInHalfUnit(value: Value): boolean {
  return isText(value) && value.text.length % 2 === 1
}

/** Long blobs of the row that is being read: SQLite hands them to a function, and the row names them by what that returns. */
export class LongBlobs {
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
export function longBlobsOf(db: Database): LongBlobs {
  const found = longBlobs.get(db) ?? new LongBlobs(db)
  longBlobs.set(db, found)
  return found
}

/** Collects rows, batch by batch. */
export class BatchBuilder {
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

/** Why no row file can hold a row, from what rendering it has thrown; undefined for other errors. */
export function rowProblem(error: unknown): string | undefined {
  if (error instanceof TooLong) return `its row ${error.message} takes more than 500 MB of SQL`
  if (error instanceof HalfUnit)
    return 'a text of it ends in half a unit of UTF-16, which no INSERT brings back'
  const isTooLong = error instanceof RangeError || (isSqliteError(error) && error.code === 'SQLITE_TOOBIG')
  return isTooLong ? 'a row of it takes more than 500 MB of SQL' : undefined
}

class TooLong extends Error {}

class HalfUnit extends Error {}
