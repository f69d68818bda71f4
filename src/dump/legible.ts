/**
 * Names and definitions that are not valid UTF-8, as texts that are: pure. Such a database is read in a copy whose
 * schema is legible, its dump makes legible tables, and the last statements of the schema put the bytes back.
 */

import { blobLiteral, isUtf8, literal, textLiteral } from './literal.ts'
import type { SchemaObject } from './schema.ts'
import { isWord, tokens } from './tokens.ts'

/** A row of `sqlite_schema` that is not legible: its bytes, and the name that stands for its own in the dump. */
export interface Original {
  type: SchemaObject['type']
  legibleName: string
  name: Buffer
  tableName: Buffer
  sql: Buffer | null
}

/** U+10FE80 to U+10FEFF, of a private plane, stand for the bytes that belong to no character. */
const firstStandIn = 0x10fe00
const standIns = /[\u{10fe80}-\u{10feff}]/u

/** Whether a text stays as it is in a legible schema: not if it would be taken for one with stand-ins. */
export function isLegible(bytes: Buffer): boolean {
  return isUtf8(bytes) && !bytes.includes(0) && !hasStandIns(bytes.toString('utf8'))
}

export function hasStandIns(text: string): boolean {
  return standIns.test(text)
}

const sequences = /[\xc0-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xff][\x80-\xbf]{3}|[\x80-\xff]/g

/**
 * A text for bytes, other ones for other bytes up to the first NUL, where SQLite stops reading. To SQLite's tokenizer
 * a stand-in is a letter, as are the bytes from 0x80 on, so that a definition keeps its meaning.
 */
export function legible(bytes: Buffer): string {
  const seen = (bytes.includes(0) ? bytes.subarray(0, bytes.indexOf(0)) : bytes).toString('latin1')
  return seen.replace(sequences, (found) => {
    const character = Buffer.from(found, 'latin1')
    return isLegible(character) ? character.toString('utf8') : standInsOf(character)
  })
}

function standInsOf(bytes: Buffer): string {
  return [...bytes].map((byte) => String.fromCodePoint(firstStandIn + byte)).join('')
}

/** A legible definition; the value of a DEFAULT clause, which rows from before its column show, stays the same. */
export function legibleDefinition(sql: Buffer): string {
  const text = legible(sql)
  const parts = [...tokens(text)]
  const defaults = parts.filter(
    ({ kind, text: value }, index) =>
      kind === 'string' && hasStandIns(value) && isWord(parts[index - 1], 'DEFAULT'),
  )
  return defaults.reduceRight(
    (whole, { start, end, text: value }) => whole.slice(0, start) + bytesExpression(value) + whole.slice(end),
    text,
  )
}

/** A quoted string with stand-ins as an expression for its bytes. */
function bytesExpression(quoted: string): string {
  const bytes = [...quoted.slice(1, -1).replaceAll("''", "'")].map((character) =>
    hasStandIns(character)
      ? Buffer.of((character.codePointAt(0) as number) - firstStandIn)
      : Buffer.from(character),
  )
  return `(CAST(${blobLiteral(Buffer.concat(bytes))} AS TEXT))`
}

/** The statements that put the bytes into `sqlite_schema`, the last ones that name an object. */
export function originalStatements(originals: readonly Original[]): string[] {
  if (originals.length === 0) return []
  // Conditions, expressions and virtual columns may compare with a text that had stand-ins.
  const indexed = originals.some(({ type }) => type === 'table' || type === 'index')
  return [
    'PRAGMA writable_schema=ON',
    ...originals.map(originalStatement),
    'PRAGMA writable_schema=RESET',
    ...(indexed ? ['REINDEX'] : []),
  ]
}

function originalStatement({ type, legibleName, name, tableName, sql }: Original): string {
  const bytes = (text: Buffer | null): string => literal(text && { text }, 'UTF-8')
  return (
    `UPDATE sqlite_schema SET name=${bytes(name)},tbl_name=${bytes(tableName)},sql=${bytes(sql)}` +
    ` WHERE type='${type}' AND name=${textLiteral(legibleName)}`
  )
}
