/**
 * The grammar of a row file: pure. A file is checked as a whole before anything of it runs, and read back into
 * rows for a diff. What this parser accepts, SQLite reads as the same values.
 */

import { RowbackError } from '../errors.ts'
import { type Encoding, identifier, isUtf8, type TextBytes, type Value } from './literal.ts'
import { parseReal, realLiteral, realPattern } from './real.ts'

/** The path of a row file below its database's folder; its parts are the table, the directory and the chunk. */
export const rowPath =
  /^30-rows\/([^/]+)\/(\+first|-?\d{19}|[0-9a-f]{32})\/(\+first|-?\d{19}|[0-9a-f]{32})\.sql$/

/** What the first line of a row file says. */
export interface RowHeader {
  table: string
  columns: string[]
  /** Offset of the first row's line. */
  bodyStart: number
}

/** The text before the rows. */
export function rowHeader(table: string, columns: readonly string[]): string {
  return `INSERT INTO ${identifier(table)}(${columns.map(identifier).join(',')}) VALUES\n`
}

/** The text behind the rows. */
export const rowFooter = ';\n'

/** The content of a row file whose lines, in pieces, are `,(…)` and a line feed each: the first begins with a space. */
export function rowFile(header: Buffer, lines: readonly Buffer[]): Buffer {
  const content = Buffer.concat([header, ...lines, Buffer.from(rowFooter)])
  content[header.length] = 0x20
  return content
}

/** Reads the first line of a row file; throws a `dump` error naming `path` where it is none. */
export function parseRowHeader(content: Buffer, path: string): RowHeader {
  const reader = new LiteralReader(content, 0, content.length)
  const columns: string[] = []
  reader.expect('INSERT INTO ')
  const table = reader.readIdentifier()
  reader.expect('(')
  do columns.push(reader.readIdentifier() ?? '')
  while (reader.skip(','))
  reader.expect(') VALUES\n')
  if (reader.failed || table === undefined) throw noRow(path, 1)
  return { table, columns, bodyStart: reader.at }
}

/**
 * Checks a whole row file against the grammar of format 1 and calls `onRow` with the offsets of each row's `(`
 * and of the line feed behind its `)`. Throws a `dump` error naming `path` and the line that is no row.
 */
export function checkRows(
  content: Buffer,
  header: RowHeader,
  path: string,
  onRow?: (start: number, end: number) => void,
): number {
  if (!isUtf8(content) || content.includes(0) || content.includes(0x0d, header.bodyStart))
    throw noRow(path, 1)
  const footer = content.length - rowFooter.length
  let rows = 0
  let lineStart = header.bodyStart
  while (lineStart < footer) {
    const isFirst = rows === 0
    const lineEnd =
      content[lineStart] === (isFirst ? 0x20 : 0x2c)
        ? rowEnd(content, lineStart + 1, header.columns.length)
        : nowhere
    if (lineEnd === nowhere || lineEnd >= footer || content[lineEnd] !== 0x0a) throw noRow(path, rows + 2)
    onRow?.(lineStart + 1, lineEnd)
    rows += 1
    lineStart = lineEnd + 1
  }
  if (rows === 0 || content.toString('latin1', footer) !== rowFooter) throw noRow(path, rows + 2)
  return rows
}

function noRow(path: string, line: number): RowbackError {
  return new RowbackError('dump', `read dump: ${path} line ${line} is no row of format 1`)
}

/** What the steps below return where the text is not of the grammar. */
const nowhere = -1

/** The offset behind a row's `)`. Rows are most of what is read: each step looks at a byte once, and calls little. */
function rowEnd(bytes: Buffer, start: number, columns: number): number {
  if (bytes[start] !== 0x28) return nowhere
  let at = start
  for (let column = 0; column < columns; column++) {
    if (column > 0 && bytes[at] !== 0x2c) return nowhere
    at = literalEnd(bytes, at + 1)
    if (at === nowhere) return nowhere
  }
  return bytes[at] === 0x29 ? at + 1 : nowhere
}

function literalEnd(bytes: Buffer, start: number): number {
  const byte = bytes[start] as number
  if (byte === 0x27) return quotedEnd(bytes, start)
  if (byte === 0x2d || isDigit(byte)) return numberEnd(bytes, start)
  if (byte === 0x58) return blobEnd(bytes, start)
  const isNull =
    byte === 0x4e && bytes[start + 1] === 0x55 && bytes[start + 2] === 0x4c && bytes[start + 3] === 0x4c
  return isNull ? start + 4 : rareEnd(bytes, start)
}

/** A quoted text ends on its line. */
function quotedEnd(bytes: Buffer, start: number): number {
  for (let at = start + 1; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === 0x0a) return nowhere
    if (byte === 0x27 && bytes[++at] !== 0x27) return at
  }
  return nowhere
}

function blobEnd(bytes: Buffer, start: number): number {
  if (bytes[start + 1] !== 0x27) return nowhere
  let at = start + 2
  while (isHex[bytes[at] as number] === 1) at += 1
  return (at - start) % 2 === 0 && bytes[at] === 0x27 ? at + 1 : nowhere
}

const isHex = new Uint8Array(256)
for (const digit of Buffer.from('0123456789ABCDEF')) isHex[digit] = 1

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

function numberEnd(bytes: Buffer, start: number): number {
  const first = bytes[start] === 0x2d ? start + 1 : start
  let at = first
  while (isDigit(bytes[at] as number)) at += 1
  const digits = at - first
  const isPlain = digits > 0 && (bytes[first] !== 0x30 || digits === 1)
  if (isPlain && digits < 19 && endsLiteral(bytes[at])) return at
  const point = at
  if (bytes[at] === 0x2e) while (isDigit(bytes[++at] as number));
  // Up to 15 digits every parser reads alike; of more, SQLite may make another double than we do.
  if (isPlain && at > point + 1 && at - start <= 16 && endsLiteral(bytes[at])) return at
  const isDecimal = at > point + 1 && endsLiteral(bytes[at])
  while (at < bytes.length && bytes[at] !== 0x0a && !endsLiteral(bytes[at])) at += 1
  const text = bytes.toString('latin1', start, at)
  return (isDecimal ? realLiteral(Number(text)) === text : isNumber(text)) ? at : nowhere
}

function endsLiteral(byte: number | undefined): boolean {
  return byte === 0x2c || byte === 0x29
}

/** The end of a literal with `CAST` or `replace` around it. */
function rareEnd(bytes: Buffer, start: number): number {
  const reader = new LiteralReader(bytes, start, bytes.indexOf(0x0a, start))
  reader.skipLiteral()
  return reader.failed ? nowhere : reader.at
}

/** The literals of one row as they are written, or the first `count` of them. */
export function rowLiterals(
  content: Buffer,
  start: number,
  end: number,
  count = Number.POSITIVE_INFINITY,
): string[] {
  const reader = new LiteralReader(content, start + 1, end)
  const literals: string[] = []
  do {
    const from = reader.at
    reader.skipLiteral()
    literals.push(content.toString('utf8', from, reader.at))
  } while (literals.length < count && reader.skip(','))
  return literals
}

/** The value that one literal of format 1 stands for; `encoding` is that of the database. */
export function parseLiteral(text: string, encoding: Encoding = 'UTF-8'): Value {
  if (text === 'NULL') return null
  if (text.startsWith("X'")) return Buffer.from(text.slice(2, -1), 'hex')
  if (text.startsWith('CAST(')) return { text: wholeUnits(Buffer.from(text.slice(7, -10), 'hex'), encoding) }
  if (text.startsWith("'") || text.startsWith('replace(')) return encode(parseText(text), encoding)
  return /^-?\d+$/.test(text) ? BigInt(text) : parseReal(text)
}

/** SQLite stores no half of a UTF-16 unit. */
function wholeUnits(bytes: Buffer, encoding: Encoding): Buffer {
  return encoding === 'UTF-8' ? bytes : bytes.subarray(0, bytes.length - (bytes.length % 2))
}

function encode(text: string, encoding: Encoding): TextBytes {
  if (encoding === 'UTF-8') return { text: Buffer.from(text) }
  // SQLite's UTF-8 reader knows neither of the two.
  const units = Buffer.from(text.replace(/[\ufffe\uffff]/g, '\ufffd'), 'utf16le')
  return { text: encoding === 'UTF-16le' ? units : units.swap16() }
}

const replacePattern = /^replace\((.*),'([^']*)',char\((10|13)\)\)$/s

/** The text of a quoted literal, with or without `replace()` around it. */
export function parseText(text: string): string {
  const wrapped = replacePattern.exec(text)
  if (!wrapped) return text.slice(1, -1).replaceAll("''", "'")
  return parseText(wrapped[1] as string).replaceAll(wrapped[2] as string, wrapped[3] === '10' ? '\n' : '\r')
}

const largestInteger = 2n ** 63n

/** Steps over literals in bytes; a mismatch sets `failed` and further steps do nothing of use. */
class LiteralReader {
  at: number
  failed = false
  private readonly bytes: Buffer
  private readonly end: number

  constructor(bytes: Buffer, start: number, end: number) {
    this.bytes = bytes
    this.at = start
    this.end = end
  }

  expect(text: string): void {
    if (!this.skip(text)) this.failed = true
  }

  skip(text: string): boolean {
    if (this.at + text.length > this.end) return false
    for (let index = 0; index < text.length; index++) {
      if (this.bytes[this.at + index] !== text.charCodeAt(index)) return false
    }
    this.at += text.length
    return true
  }

  readIdentifier(): string | undefined {
    const start = this.at
    if (!this.skipQuoted(0x22)) {
      this.failed = true
      return undefined
    }
    return this.bytes.toString('utf8', start + 1, this.at - 1).replaceAll('""', '"')
  }

  skipLiteral(): void {
    const byte = this.bytes[this.at] as number
    if (byte === 0x27) this.failed = !this.skipQuoted(0x27) || this.failed
    else if ((byte >= 0x30 && byte <= 0x39) || byte === 0x2d) this.skipNumber()
    else if (byte === 0x58) this.skipBlob()
    else if (byte === 0x4e) this.expect('NULL')
    else if (byte === 0x43) {
      this.expect('CAST(')
      this.skipBlob()
      this.expect(' AS TEXT)')
    } else this.skipReplace()
  }

  private skipQuoted(quote: number): boolean {
    if (this.bytes[this.at] !== quote) return false
    let index = this.at
    for (;;) {
      index = this.bytes.indexOf(quote, index + 1)
      if (index < 0 || index >= this.end) return false
      if (this.bytes[index + 1] !== quote || index + 1 >= this.end) break
      index += 1
    }
    this.at = index + 1
    return true
  }

  private skipNumber(): void {
    const start = this.at
    let index = start
    for (let byte = this.bytes[index] as number; byte >= 0x30 && byte <= 0x39; )
      byte = this.bytes[++index] as number
    const next = this.bytes[index]
    const isShortInteger =
      index > start &&
      index - start < 19 &&
      (next === 0x2c || next === 0x29) &&
      (this.bytes[start] !== 0x30 || index === start + 1)
    if (!isShortInteger) {
      while (index < this.end && this.bytes[index] !== 0x2c && this.bytes[index] !== 0x29) index += 1
      if (!isNumber(this.bytes.toString('latin1', start, index))) this.failed = true
    }
    this.at = index
  }

  private skipBlob(): void {
    this.expect("X'")
    const start = this.at
    let byte = this.bytes[this.at] as number
    while ((byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x46))
      byte = this.bytes[++this.at] as number
    if ((this.at - start) % 2 === 1) this.failed = true
    this.expect("'")
  }

  private skipReplace(): void {
    const depth = this.skip('replace(replace(') ? 2 : this.skip('replace(') ? 1 : 0
    if (depth === 0 || !this.skipQuoted(0x27)) {
      this.failed = true
      return
    }
    const markers =
      depth === 2 ? [carriageReturn, lineFeed] : [carriageReturn, lineFeed].filter((m) => this.sees(m))
    if (markers.length !== depth) this.failed = true
    for (const { letter, code } of markers) this.skipMarker(letter, code)
  }

  private sees(end: { letter: string; hex: string }): boolean {
    return [`,'\\${end.letter}'`, `,'\\x${end.hex}'`, `,'\\u00${end.hex}'`].some(
      (text) => this.bytes.toString('latin1', this.at, this.at + text.length) === text,
    )
  }

  private skipMarker(letter: string, code: number): void {
    const hex = code.toString(16).toUpperCase().padStart(2, '0')
    const found = [letter, `x${hex}`, `u00${hex}`].some((marker) =>
      this.skip(`,'\\${marker}',char(${code}))`),
    )
    if (!found) this.failed = true
  }
}

const carriageReturn = { letter: 'r', hex: '0D', code: 13 }
const lineFeed = { letter: 'n', hex: '0A', code: 10 }

function isNumber(text: string): boolean {
  if (/^-?(?:0|[1-9]\d{0,18})$/.test(text)) {
    const value = BigInt(text)
    return value >= -largestInteger && value < largestInteger
  }
  // Up to 15 digits every parser reads alike; of more, SQLite may make another double than we do.
  if (text.length <= 16 && /^-?(?:0|[1-9]\d*)\.\d+$/.test(text)) return true
  return realPattern.test(text) && realLiteral(parseReal(text)) === text
}
