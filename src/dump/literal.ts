/** SQL literals and identifiers of format 1: pure, and the one place that knows how a value is written. */

import { isUtf8 as bufferIsUtf8, isAscii, transcode } from 'node:buffer'
import { realLiteral } from './real.ts'

/** A value as SQLite stores it: text and blobs as their bytes. */
export type Value = null | bigint | number | TextBytes | Buffer

/** Text in the encoding of its database; a bare `Buffer` is a blob. */
export interface TextBytes {
  text: Buffer
}

export function isText(value: Value): value is TextBytes {
  return value !== null && typeof value === 'object' && 'text' in value
}

/** The encodings that a database can have, as `PRAGMA encoding` names them. */
export type Encoding = 'UTF-8' | 'UTF-16le' | 'UTF-16be'

/** The literal of a value, on one line, without NUL, CR or LF and always valid UTF-8. */
export function literal(value: Value, encoding: Encoding): string {
  if (value === null) return 'NULL'
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'number') return realLiteral(value)
  if (Buffer.isBuffer(value)) return blobLiteral(value)
  const text = decodeText(value.text, encoding)
  return text === undefined ? `CAST(${blobLiteral(value.text)} AS TEXT)` : textLiteral(text)
}

/** A blob literal with upper-case digits, as SQLite's own `quote()` writes it. */
export function blobLiteral(bytes: Buffer): string {
  return `X'${bytes.toString('hex').toUpperCase()}'`
}

/** A name in double quotes. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** Markers that stand for a line end inside `replace()`; none overlaps itself or another. */
const lineFeedMarkers = ['\\n', '\\x0A', '\\u000A']
const carriageReturnMarkers = ['\\r', '\\x0D', '\\u000D']

/** Line ends in the order in which `replace()` brings them back, the innermost first; each takes the first marker that is free. */
export const lineEndMarkers = [
  { code: 13, markers: carriageReturnMarkers },
  { code: 10, markers: lineFeedMarkers },
] as const

/** The literal of a text without NUL: quoted, with its line ends moved into `replace()`. */
export function textLiteral(text: string): string {
  let quoted = text
  const wraps: string[] = []
  for (const { code, markers } of lineEndMarkers) {
    const end = String.fromCharCode(code)
    if (!text.includes(end)) continue
    const marker = markers.find((candidate) => !text.includes(candidate))
    if (marker === undefined) return `CAST(${blobLiteral(Buffer.from(text))} AS TEXT)`
    quoted = quoted.replaceAll(end, marker)
    wraps.push(`,'${marker}',char(${code}))`)
  }
  return `${'replace('.repeat(wraps.length)}${quote(quoted)}${wraps.join('')}`
}

function quote(text: string): string {
  return text.includes("'") ? `'${text.replaceAll("'", "''")}'` : `'${text}'`
}

/**
 * The text as a string, or undefined where a quoted literal would not bring back the same bytes: NUL, bytes
 * that are not valid in the encoding and, in UTF-16, U+FFFE and U+FFFF (SQLite's UTF-8 reader maps both to
 * U+FFFD) and text whose line ends have no marker left.
 */
export function decodeText(bytes: Buffer, encoding: Encoding): string | undefined {
  if (encoding === 'UTF-8') {
    if (!isUtf8(bytes) || bytes.includes(0)) return undefined
    return bytes.toString('utf8')
  }
  if (bytes.length % 2 === 1) return undefined
  const units = encoding === 'UTF-16le' ? bytes : Buffer.from(bytes).swap16()
  const text = units.toString('utf16le')
  if (/[\0\ufffe\uffff]/.test(text) || !isWellFormed(text) || !hasMarkers(text)) return undefined
  return text
}

function hasMarkers(text: string): boolean {
  return (
    (!text.includes('\n') || lineFeedMarkers.some((marker) => !text.includes(marker))) &&
    (!text.includes('\r') || carriageReturnMarkers.some((marker) => !text.includes(marker)))
  )
}

/** Whether a string holds no lone surrogate. */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text)
}

/** Whether bytes are valid UTF-8, asked before any string is made of them. */
export function isUtf8(bytes: Buffer): boolean {
  return bufferIsUtf8(bytes)
}

/** Transcoding holds a text twice. */
const transcodedBytes = 2 ** 24

/** The text of bytes that are valid UTF-8. */
export function utf8Text(bytes: Buffer): string {
  if (bytes.length > transcodedBytes || isAscii(bytes)) return bytes.toString('utf8')
  // V8 decodes UTF-8 letter by letter, which takes more than twice as long.
  return transcode(bytes, 'utf8', 'utf16le').toString('utf16le')
}
