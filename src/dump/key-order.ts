/**
 * Compares the keys of row lines by their bytes: pure. What bytes do not tell for sure is left to SQLite, so nothing here
 * decides that a database is damaged.
 */

import { literalEnd } from './literal-end.ts'

/** How a column of a key is ordered. */
export interface KeyPart {
  /** Of its texts, where it is one of those whose order shows in the bytes: `UTF-16` is BINARY in that encoding. */
  collation: 'BINARY' | 'UTF-16' | 'NOCASE' | 'RTRIM' | undefined
  descending: boolean
}

/** Whether the key of the line that begins at `next` of `b` certainly comes behind that of the one at `last` of `a`. */
export function keyRises(
  a: Buffer,
  last: number,
  b: Buffer,
  next: number,
  parts: readonly KeyPart[],
): boolean {
  let x = last + 2
  let y = next + 2
  for (const { collation, descending } of parts) {
    const sign = compareLiterals(a, x, b, y, collation)
    if (sign !== 0) return descending ? sign > 0 : sign < 0
    x = literalEnd(a, x) + 1
    y = literalEnd(b, y) + 1
  }
  return false
}

const [quote, space] = [0x27, 0x20]

/** Below 0, 0 or above, as the literals at two offsets are ordered; NaN where their bytes do not tell. */
function compareLiterals(
  a: Buffer,
  x: number,
  b: Buffer,
  y: number,
  collation: KeyPart['collation'],
): number {
  const [first, second] = [a[x] as number, b[y] as number]
  const kinds = kindOf(first) - kindOf(second)
  if (kinds !== 0) return kinds
  if (first === quote && second === quote && collation) return compareTexts(a, x + 1, b, y + 1, collation)
  if (first === 0x58) return compareBlobs(a, x + 2, b, y + 2)
  return kindOf(first) === 1 ? compareNumbers(a, x, b, y) : Number.NaN
}

/** NULL, numbers, texts, blobs, as their storage classes are ordered. */
function kindOf(byte: number): number {
  if (byte === quote) return 2
  if (byte === 0x2d || (byte >= 0x30 && byte <= 0x39)) return 1
  if (byte === 0x4e) return 0
  return byte === 0x58 ? 3 : 2
}

/** From behind the quotes on, which are doubled within a text. */
function compareTexts(
  a: Buffer,
  x: number,
  b: Buffer,
  y: number,
  collation: NonNullable<KeyPart['collation']>,
): number {
  const isFolded = collation === 'NOCASE'
  for (;;) {
    const [first, second] = [a[x] as number, b[y] as number]
    const firstEnds = first === quote && a[x + 1] !== quote
    const secondEnds = second === quote && b[y + 1] !== quote
    if (firstEnds && secondEnds) return 0
    const sign = firstEnds ? -1 : secondEnds ? 1 : isFolded ? fold(first) - fold(second) : first - second
    if (sign !== 0) return isTold(collation, first, second) ? sign : Number.NaN
    x += first === quote ? 2 : 1
    y += second === quote ? 2 : 1
  }
}

/** Whether the first bytes of UTF-8 in which two texts differ tell their order. */
function isTold(collation: KeyPart['collation'], first: number, second: number): boolean {
  if (collation === 'RTRIM') return first !== space && second !== space
  // Only of ASCII a code unit is the byte, and its other byte 0.
  return collation !== 'UTF-16' || (first < 0x80 && second < 0x80)
}

/** A letter of ASCII as a small one. */
function fold(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte
}

/** Digits in capitals are ordered as what they stand for, and all come behind the quote. */
function compareBlobs(a: Buffer, x: number, b: Buffer, y: number): number {
  for (; a[x] === b[y]; x++, y++) if (a[x] === quote) return 0
  return (a[x] as number) - (b[y] as number)
}

function compareNumbers(a: Buffer, x: number, b: Buffer, y: number): number {
  const first = numberAt(a, x)
  const sign = first - numberAt(b, y)
  // Doubles differ only where the numbers do, in the same direction.
  return sign === 0 && Math.abs(first) >= 2 ** 53 ? Number.NaN : sign
}

/** The number of a literal, rounded; NaN for a quotient. */
function numberAt(bytes: Buffer, start: number): number {
  let at = bytes[start] === 0x2d ? start + 1 : start
  const from = at
  let value = 0
  for (let byte = bytes[at] as number; byte >= 0x30 && byte <= 0x39; byte = bytes[++at] as number)
    value = value * 10 + byte - 0x30
  const isInteger = at - from <= 15 && (bytes[at] === 0x2c || bytes[at] === 0x29)
  if (!isInteger) return Number(bytes.toString('latin1', start, literalEnd(bytes, start)))
  return from === start ? value : -value
}
