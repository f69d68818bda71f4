/**
 * The grammar of a row file: pure. A file is checked as a whole before anything of it runs, and read back into
 * rows for a diff. What this parser accepts, SQLite reads as the same values.
 */

import { RowbackError } from '../errors.ts'
import { identifier, isUtf8 } from './literal.ts'
import { literalEnd, literalsEnd, nowhere, wordEnd } from './literal-end.ts'

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
  const names: string[] = []
  const name = (start: number): number => {
    const end = identifierEnd(content, start)
    names.push(content.toString('utf8', start + 1, end - 1).replaceAll('""', '"'))
    return end
  }
  let at = wordEnd(content, name(wordEnd(content, 0, 'INSERT INTO ')), '(')
  at = name(at)
  while (content[at] === 0x2c) at = name(at + 1)
  const bodyStart = wordEnd(content, at, ') VALUES\n')
  if (bodyStart === nowhere) throw noRow(path, 1)
  const [table = '', ...columns] = names
  return { table, columns, bodyStart }
}

/** The offset behind a name in double quotes, which may hold line ends. */
function identifierEnd(bytes: Buffer, start: number): number {
  if (bytes[start] !== 0x22) return nowhere
  for (let at = start; ; at += 1) {
    at = bytes.indexOf(0x22, at + 1)
    if (at < 0) return nowhere
    if (bytes[at + 1] !== 0x22) return at + 1
  }
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

/** The offset behind a row's `)`. */
function rowEnd(bytes: Buffer, start: number, columns: number): number {
  const at = bytes[start] === 0x28 ? literalsEnd(bytes, start, columns) : nowhere
  return bytes[at] === 0x29 ? at + 1 : nowhere
}

/** The literals of a row that begins at `start`, as they are written, or the first `count` of them. */
export function rowLiterals(content: Buffer, start: number, count = Number.POSITIVE_INFINITY): string[] {
  const literals: string[] = []
  let at = start
  do {
    const from = at + 1
    at = literalEnd(content, from)
    literals.push(content.toString('utf8', from, at))
  } while (literals.length < count && content[at] === 0x2c)
  return literals
}
