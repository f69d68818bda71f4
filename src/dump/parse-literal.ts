/** Reads literals of format 1 back as values: pure, and only for text that the grammar accepts. */

import type { Encoding, TextBytes, Value } from './literal.ts'
import { parseReal } from './real.ts'

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
