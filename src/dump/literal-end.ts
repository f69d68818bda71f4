/**
 * Where literals of format 1 end: pure. Rows are most of what is read: each step looks at a byte once, and calls little.
 * A step that finds something else, or is told to begin `nowhere`, returns `nowhere`.
 */

import { parseReal, realLiteral, realPattern } from './real.ts'

export const nowhere = -1

/** The offset behind the first `count` literals of a row whose `(` stands at `start`. */
export function literalsEnd(bytes: Buffer, start: number, count: number): number {
  let at = start
  for (let index = 0; index < count; index++) {
    if (index > 0 && bytes[at] !== 0x2c) return nowhere
    at = literalEnd(bytes, at + 1)
    if (at === nowhere) return nowhere
  }
  return at
}

/** The offset behind the literal that begins at `start`. */
export function literalEnd(bytes: Buffer, start: number): number {
  const byte = bytes[start] as number
  if (byte === 0x27) return quotedEnd(bytes, start)
  if (byte === 0x2d || isDigit(byte)) return numberEnd(bytes, start)
  if (byte === 0x58) return blobEnd(bytes, start)
  if (byte === 0x4e) return wordEnd(bytes, start, 'NULL')
  return byte === 0x43 ? castEnd(bytes, start) : replaceEnd(bytes, start)
}

/** The offset behind a text that must stand at `start`. */
export function wordEnd(bytes: Buffer, start: number, word: string): number {
  for (let index = 0; index < word.length; index++)
    if (bytes[start + index] !== word.charCodeAt(index)) return nowhere
  return start + word.length
}

/** A quoted text ends on its line. */
function quotedEnd(bytes: Buffer, start: number): number {
  if (bytes[start] !== 0x27) return nowhere
  for (let at = start + 1; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === 0x0a) return nowhere
    if (byte === 0x27 && bytes[++at] !== 0x27) return at
  }
  return nowhere
}

function blobEnd(bytes: Buffer, start: number): number {
  if (bytes[start] !== 0x58 || bytes[start + 1] !== 0x27) return nowhere
  let at = start + 2
  while (isHex[bytes[at] as number] === 1) at += 1
  return (at - start) % 2 === 0 && bytes[at] === 0x27 ? at + 1 : nowhere
}

const isHex = new Uint8Array(256)
for (const digit of Buffer.from('0123456789ABCDEF')) isHex[digit] = 1

function castEnd(bytes: Buffer, start: number): number {
  return wordEnd(bytes, blobEnd(bytes, wordEnd(bytes, start, 'CAST(')), ' AS TEXT)')
}

/** What `textLiteral` puts behind a text whose line ends were replaced by a marker. */
const markers = (letter: string, hex: string, code: number): string[] =>
  [letter, `x${hex}`, `u00${hex}`].map((marker) => `,'\\${marker}',char(${code}))`)
const carriageReturn = markers('r', '0D', 13)
const lineFeed = markers('n', '0A', 10)

function replaceEnd(bytes: Buffer, start: number): number {
  const inner = wordEnd(bytes, start, 'replace(')
  const both = wordEnd(bytes, inner, 'replace(')
  if (both === nowhere) return oneOf(bytes, quotedEnd(bytes, inner), [...carriageReturn, ...lineFeed])
  return oneOf(bytes, oneOf(bytes, quotedEnd(bytes, both), carriageReturn), lineFeed)
}

function oneOf(bytes: Buffer, start: number, words: readonly string[]): number {
  return Math.max(...words.map((word) => wordEnd(bytes, start, word)))
}

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

const largestInteger = 2n ** 63n

function isNumber(text: string): boolean {
  if (/^-?(?:0|[1-9]\d{0,18})$/.test(text)) {
    const value = BigInt(text)
    return value >= -largestInteger && value < largestInteger
  }
  // Up to 15 digits every parser reads alike; of more, SQLite may make another double than we do.
  if (text.length <= 16 && /^-?(?:0|[1-9]\d*)\.\d+$/.test(text)) return true
  return realPattern.test(text) && realLiteral(parseReal(text)) === text
}
