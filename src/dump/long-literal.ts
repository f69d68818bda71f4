/**
 * Literals of long values, as `literal` writes them, in a buffer of the caller's: pure. Strings would hold such a value
 * several times, and a text with any letter beyond Latin-1 twice each time.
 */

import { isUtf8, lineEndMarkers, type TextBytes } from './literal.ts'

/** A literal that is not written yet. */
export interface LongLiteral {
  /** In bytes. */
  length: number
  /** Writes it at an offset and returns the offset behind it. */
  write(target: Buffer, at: number): number
}

/** The literal of a blob, or of a text of a UTF-8 database. */
export function longLiteral(value: Buffer | TextBytes): LongLiteral {
  if (Buffer.isBuffer(value)) return digits("X'", value, "'")
  return quoted(value.text) ?? digits("CAST(X'", value.text, "' AS TEXT)")
}

/** Digits are made in pieces, each of which is a string for a moment. */
const pieceBytes = 2 ** 16

function digits(before: string, bytes: Buffer, after: string): LongLiteral {
  return {
    length: before.length + 2 * bytes.length + after.length,
    write: (target, start) => {
      let at = start + target.write(before, start, 'latin1')
      for (let from = 0; from < bytes.length; from += pieceBytes) {
        const piece = bytes.toString('hex', from, Math.min(bytes.length, from + pieceBytes))
        at += target.write(piece.toUpperCase(), at, 'latin1')
      }
      return at + target.write(after, at, 'latin1')
    },
  }
}

/** The literal of a text; undefined where no quoted one brings back its bytes. */
function quoted(text: Buffer): LongLiteral | undefined {
  if (!isUtf8(text) || text.includes(0)) return undefined
  const replacements = new Map<number, Buffer>([[0x27, Buffer.from("''")]])
  let [before, after] = ["'", "'"]
  for (const { code, markers } of lineEndMarkers) {
    if (!text.includes(code)) continue
    const marker = markers.find((candidate) => !text.includes(candidate))
    if (marker === undefined) return undefined
    replacements.set(code, Buffer.from(marker))
    before = `replace(${before}`
    after += `,'${marker}',char(${code}))`
  }
  return replaced(before, text, after, replacements)
}

/** Bytes of which some are written as others. */
function replaced(
  before: string,
  bytes: Buffer,
  after: string,
  replacements: ReadonlyMap<number, Buffer>,
): LongLiteral {
  let length = before.length + bytes.length + after.length
  for (const [byte, other] of replacements) length += count(bytes, byte) * (other.length - 1)
  return {
    length,
    write: (target, start) => {
      let at = start + target.write(before, start, 'latin1')
      const isReplaced = new Uint8Array(256)
      for (const byte of replacements.keys()) isReplaced[byte] = 1
      for (let from = 0; from < bytes.length; from++) {
        const byte = bytes[from] as number
        if (isReplaced[byte] === 1) at += (replacements.get(byte) as Buffer).copy(target, at)
        else target[at++] = byte
      }
      return at + target.write(after, at, 'latin1')
    },
  }
}

function count(bytes: Buffer, byte: number): number {
  let found = 0
  for (let at = bytes.indexOf(byte); at >= 0; at = bytes.indexOf(byte, at + 1)) found += 1
  return found
}
