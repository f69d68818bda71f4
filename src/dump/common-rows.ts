/** Leaves out the rows that two row files have in common: pure. */

import { RowbackError } from '../errors.ts'
import { parseRowHeader } from './rows.ts'

/** Longer files are not taken apart: a string of theirs would need too much memory. */
const longestFile = 2 ** 26

/** After so many rows in a row that differ, the rest is not compared place by place any more. */
const mostApart = 16

const lineFeed = 0x0a
const fileEnd = Buffer.from('\n;\n')

/**
 * Two row files without the rows that both hold, which are the same rows whatever their key is; a file of which nothing
 * is left is empty. Files with other columns, and what is no row file, come back as they are.
 */
export function withoutCommonRows(a: Buffer, b: Buffer): [a: Buffer, b: Buffer] {
  const [left, right] = [linesOf(a), linesOf(b)]
  if (!left || !right || !left.header.equals(right.header)) return [a, b]
  const lines = differingLines(left.rows, right.rows)
  if (!lines.flat().every((line) => /^[ ,]\(/.test(line))) return [a, b]
  const rows = lines.map((those) => those.map((line) => line.slice(1))) as [string[], string[]]
  const [onlyLeft, onlyRight] = withoutCommon(...rows)
  return [putTogether(left.header, onlyLeft), putTogether(left.header, onlyRight)]
}

interface RowLines {
  /** With the line feed at its end, as each line of a row. */
  header: Buffer
  rows: Buffer
}

function linesOf(file: Buffer): RowLines | undefined {
  if (file.length > longestFile || !file.subarray(-fileEnd.length).equals(fileEnd)) return undefined
  const start = bodyStart(file)
  if (start === undefined) return undefined
  return { header: file.subarray(0, start), rows: file.subarray(start, 1 - fileEnd.length) }
}

/** Where the rows begin; names may hold line feeds. */
function bodyStart(file: Buffer): number | undefined {
  try {
    return parseRowHeader(file, '').bodyStart
  } catch (error) {
    if (error instanceof RowbackError) return undefined
    throw error
  }
}

/** Lines that differ, or that only one side has, in texts that are mostly the same from place to place. */
function differingLines(a: Buffer, b: Buffer): [a: string[], b: string[]] {
  const lines: [string[], string[]] = [[], []]
  let [left, right] = [a, b]
  for (let apart = 0; apart < mostApart; ) {
    const same = sharedLines(left, right)
    left = left.subarray(same)
    right = right.subarray(same)
    if (left.length === 0 || right.length === 0) break
    apart = same > 0 ? 1 : apart + 1
    const [behindLeft, behindRight] = [left, right].map((text) =>
      text.subarray(text.indexOf(lineFeed) + 1),
    ) as [Buffer, Buffer]
    const isAdded = sharedLines(left, behindRight) > 0
    const isRemoved = !isAdded && sharedLines(behindLeft, right) > 0
    if (!isAdded) {
      lines[0].push(...textLines(left, left.length - behindLeft.length))
      left = behindLeft
    }
    if (!isRemoved) {
      lines[1].push(...textLines(right, right.length - behindRight.length))
      right = behindRight
    }
  }
  return [lines[0].concat(textLines(left)), lines[1].concat(textLines(right))]
}

/** How many bytes of whole lines both begin with. */
function sharedLines(a: Buffer, b: Buffer): number {
  const limit = Math.min(a.length, b.length)
  const isSame = (from: number, to: number): boolean => a.compare(b, from, to, from, to) === 0
  let [low, step] = [0, 256]
  while (low + step <= limit && isSame(low, low + step)) {
    low += step
    step *= 2
  }
  let high = Math.min(limit, low + step)
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (isSame(low, middle)) low = middle
    else high = middle - 1
  }
  return low === 0 ? 0 : a.lastIndexOf(lineFeed, low - 1) + 1
}

/** Lines without their line feeds, a character a byte. */
function textLines(bytes: Buffer, length = bytes.length): string[] {
  return bytes.toString('latin1', 0, length).split('\n').slice(0, -1)
}

/** What each list has more often than the other, as often as it has. */
function withoutCommon(a: readonly string[], b: readonly string[]): [a: string[], b: string[]] {
  const counts = new Map<string, number>()
  for (const row of a) counts.set(row, (counts.get(row) ?? 0) + 1)
  const onlyB = b.filter((row) => !take(counts, row))
  return [a.filter((row) => take(counts, row)), onlyB]
}

/** Counts one less; false if there is none. */
function take(counts: Map<string, number>, row: string): boolean {
  const count = counts.get(row) ?? 0
  if (count > 0) counts.set(row, count - 1)
  return count > 0
}

function putTogether(header: Buffer, rows: readonly string[]): Buffer {
  if (rows.length === 0) return Buffer.alloc(0)
  return Buffer.concat([header, Buffer.from(` ${rows.join('\n,')}`, 'latin1'), fileEnd])
}
