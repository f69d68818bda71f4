/**
 * The queries that rows are read with: text of SQL, nothing is run here. One renders rows as lines inside SQLite,
 * the other reads values so that every storage class and bit can be told.
 */

import { identifier, isText, type Value } from '../dump/literal.ts'
import { type OrderTerm, type RowSource, termText } from '../dump/plan.ts'
import { isRegular, losesSign } from '../dump/regular.ts'
import type { Affinity, Column } from '../dump/schema.ts'

/** The user function that writes a REAL; see `realLiteral`. */
export const realFunction = 'rowback_real'

/** The same for a column that brings no -0.0 back: it flags that. */
export const signedRealFunction = 'rowback_signed_real'

/** The user function that takes a blob as it is, where its digits would be a string of twice its size; see `LongBlobs`. */
export const longBlobFunction = 'rowback_long_blob'

/** Texts and blobs of so many bytes are never made strings, nor are their literals. */
export const longValueBytes = 2 ** 20

/** Behind the NUL of this mark stands no row: the page must be rendered value by value. */
export const flagByte = 0x21
const flag = `char(0)||'!'`

/** What a user function returns for a value that must be rendered as it is. */
export const flagText = `\0${String.fromCharCode(flagByte)}`

/** Values above this are rendered one by one, so that a page of rows stays small and far below SQLite's limits. */
function longestFastBytes(columns: number): number {
  return Math.min(65535, Math.floor(262144 / columns))
}

/** Where rows begin: behind a key, or with it. */
export interface Start {
  key: readonly Value[]
  isIncluded: boolean
}

/** A query for the next ? rows from a start on as one blob, a row `,(…)` and NUL; NULL where there are none. */
export function linesQuery(source: RowSource, start: Start | undefined): string {
  const longest = longestFastBytes(source.columns.length)
  const values = source.columns.map(({ read, column }, index) =>
    // A rowid is an integer, and nothing else.
    index === 0 && source.key === 'integer'
      ? identifier(read)
      : fastLiteral(identifier(read), column, longest),
  )
  const separated = values.flatMap((value, index) => (index > 0 ? [`','`, value] : [value]))
  const row = concat([`',('`, ...separated, `')'||char(0)`])
  // An alias within would stand for a column of its name in ORDER BY; the name in the head does not.
  const page = `WITH page(line) AS (SELECT ${row} ${rowsFrom(source, start)} LIMIT likely(?))`
  return `${page} SELECT CAST(group_concat(line,'') AS BLOB) FROM page`
}

/**
 * A query for the values of the rows from a start on: text as a blob of its bytes, a blob as a text of its
 * hexadecimal digits, so that JavaScript can tell every storage class; a long blob as what `longBlobFunction` returns. A rowid without a name is not among them.
 */
export function valuesQuery(source: RowSource, start: Start | undefined): string {
  const read = source.hiddenRowid === undefined ? source.columns : source.columns.slice(1)
  const values = read.map((column) => {
    const name = identifier(column.read)
    const digits = `iif(octet_length(${name})>=${longValueBytes},${longBlobFunction}(${name}),hex(${name}))`
    return `CASE typeof(${name}) WHEN 'text' THEN CAST(${name} AS BLOB) WHEN 'blob' THEN ${digits} ELSE ${name} END`
  })
  return `SELECT ${values.join(',')} ${rowsFrom(source, start)}`
}

/** A query for the number of rows. */
export function countQuery(source: RowSource): string {
  return `SELECT count(*) FROM ${table(source)}`
}

/** The rows from a start on, and their order. */
function rowsFrom(source: RowSource, start: Start | undefined): string {
  const { orderBy } = source
  const order = orderBy.length > 0 ? `ORDER BY ${orderBy.map(termText).join(',')}` : ''
  return `FROM ${table(source)} ${start ? `WHERE ${isFrom(orderBy, start)}` : ''} ${order}`
}

/** The table; no index of it is read, which may be damaged or in another order. */
function table({ readFrom, keyIndex }: RowSource): string {
  const only = keyIndex === undefined ? 'NOT INDEXED' : `INDEXED BY ${identifier(keyIndex)}`
  return `main.${identifier(readFrom)} ${only}`
}

/** The collations stand with the values: SQLite seeks by bare columns only, and would scan the table for each page. */
function isFrom(orderBy: readonly OrderTerm[], { key, isIncluded }: Start): string {
  const columns = orderBy.map(({ column }) => column)
  const values = key.map((value, index) => `${placeholder(value)}${orderBy[index]?.collate}`)
  return `(${columns.join(',')})${isIncluded ? '>=' : '>'}(${values.join(',')})`
}

/**
 * Text is bound as its bytes: a string could not hold what is not UTF-8. A bare `?` beside a column would make SQLite
 * prepare the statement anew for each value, as its statistics might then tell a better plan.
 */
function placeholder(value: Value): string {
  return `likely(${isText(value) ? 'CAST(? AS TEXT)' : '?'})`
}

/** concat() of any number of terms: a call takes at most 1,000 of them. */
function concat(terms: string[]): string {
  if (terms.length <= 900) return `concat(${terms.join(',')})`
  const groups: string[] = []
  for (let at = 0; at < terms.length; at += 900) groups.push(concat(terms.slice(at, at + 900)))
  return concat(groups)
}

/** An expression for the literal of a column, or the flag. */
function fastLiteral(name: string, column: Column, longest: number): string {
  const nullValue = column.notNull ? flag : `'NULL'`
  const branches: Record<string, string> = {
    integer: `WHEN 'integer' THEN ${accepts(column, 'integer') ? name : flag}`,
    real: `WHEN 'real' THEN ${fastReal(name, column.affinity)}`,
    text: `WHEN 'text' THEN ${fastText(name, column.affinity, longest)}`,
    null: `WHEN 'null' THEN ${nullValue}`,
  }
  const blob = accepts(column, 'blob') ? `iif(octet_length(${name})>${longest},${flag},quote(${name}))` : flag
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

/** quote() stops at a NUL, as does format('%s'). */
function fastText(name: string, affinity: Affinity, longest: number): string {
  if (affinity.startsWith('strict') && affinity !== 'strict text') return flag
  const short = `octet_length(${name})<=${longest}`
  const whole = `octet_length(format('%s',${name}))=octet_length(${name})`
  const numeric = affinity === 'integer' || affinity === 'numeric' || affinity === 'real'
  // The comparison gives the text numeric affinity; what stays text sorts behind every number.
  const stays = numeric ? `CAST(9e999 AS REAL) COLLATE BINARY<+${name} AND ` : ''
  return `iif(${stays}${short} AND ${whole},quote(${name}),${flag})`
}

/** Up to four decimals quote() prints what `realLiteral` prints, and any SQLite reads back; the rest is ours. */
function fastReal(name: string, affinity: Affinity): string {
  if (affinity === 'text' || (affinity.startsWith('strict') && affinity !== 'strict real')) return flag
  // Arithmetic, unlike the bare column, takes no collation, which may be the application's own.
  const value = `${name}*1.0`
  const short = `round(${name}*10000)/10000.0=${value} AND ${value} BETWEEN -1e11 AND 1e11 AND ${value}<>0`
  const other = losesSign(affinity) ? signedRealFunction : realFunction
  const literalOf = `iif(${short},quote(${name}),${other}(${name}))`
  if (affinity !== 'integer' && affinity !== 'numeric') return literalOf
  return `iif(${value}=CAST(${value} AS INTEGER),${flag},${literalOf})`
}
