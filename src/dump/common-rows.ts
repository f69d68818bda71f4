/** Leaves out the rows that two row files have in common: pure. */

/** More is not taken apart: a string of it would need too much memory. */
const longestRest = 2 ** 26

const lineFeed = 0x0a
const fileEnd = Buffer.from('\n;\n')

/**
 * Two row files without the rows that both hold, which are the same rows whatever their key is; a file of which nothing
 * is left is empty. Files with other columns, and what is no row file, come back as they are.
 */
export function withoutCommonRows(a: Buffer, b: Buffer): [a: Buffer, b: Buffer] {
  const headerEnd = a.indexOf(lineFeed) + 1
  const start = sharedStart(a, b)
  if (headerEnd === 0 || start < headerEnd || !isEnded(a) || !isEnded(b)) return [a, b]
  const header = a.subarray(0, headerEnd)
  const end = sharedEnd(a, b, start)
  const [left, right] = [a, b].map((file) =>
    rowsOf(file.subarray(start, file.length - end), start === headerEnd),
  )
  if (!left || !right) return [a, b]
  const counts = new Map<string, number>()
  for (const row of left) counts.set(row, (counts.get(row) ?? 0) + 1)
  const onlyRight = right.filter((row) => !take(counts, row))
  const onlyLeft = left.filter((row) => take(counts, row))
  return [putTogether(header, onlyLeft), putTogether(header, onlyRight)]
}

function isEnded(file: Buffer): boolean {
  return file.subarray(-fileEnd.length).equals(fileEnd)
}

/** How many bytes of whole lines both begin with. */
function sharedStart(a: Buffer, b: Buffer): number {
  const length = longest(Math.min(a.length, b.length), (from, to) => a.compare(b, from, to, from, to) === 0)
  return length === 0 ? 0 : a.lastIndexOf(lineFeed, length - 1) + 1
}

/** How many bytes of whole lines both end with, behind what they begin with: the line feed before it may count for both. */
function sharedEnd(a: Buffer, b: Buffer, start: number): number {
  const length = longest(
    Math.min(a.length, b.length) - start + 1,
    (from, to) => a.compare(b, b.length - to, b.length - from, a.length - to, a.length - from) === 0,
  )
  return a.length - a.indexOf(lineFeed, a.length - length) - 1
}

/** The largest number up to which all ranges are the same. */
function longest(limit: number, isSame: (from: number, to: number) => boolean): number {
  let [low, high] = [0, limit]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (isSame(low, middle)) low = middle
    else high = middle - 1
  }
  return low
}

/** Counts one less; false if there is none. */
function take(counts: Map<string, number>, row: string): boolean {
  const count = counts.get(row) ?? 0
  if (count > 0) counts.set(row, count - 1)
  return count > 0
}

/** Rows from the opening parenthesis on, a character a byte; undefined if a line is none. */
function rowsOf(lines: Buffer, isFirst: boolean): string[] | undefined {
  if (lines.length > longestRest) return undefined
  const rows = lines.toString('latin1').split('\n').slice(0, -1)
  const isRow = (line: string, index: number): boolean =>
    line.startsWith(isFirst && index === 0 ? ' (' : ',(')
  return rows.every(isRow) ? rows.map((line) => line.slice(1)) : undefined
}

function putTogether(header: Buffer, rows: readonly string[]): Buffer {
  if (rows.length === 0) return Buffer.alloc(0)
  return Buffer.concat([header, Buffer.from(` ${rows.join('\n,')}`, 'latin1'), fileEnd])
}
