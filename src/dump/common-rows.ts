/** Leaves out the rows that two row files have in common: pure. */

/** Longer files are not taken apart: a string of theirs would need too much memory. */
const longestFile = 2 ** 26

/**
 * Two row files without the rows that both hold, which are the same rows whatever their key is; a file of which nothing
 * is left is empty. Files with other columns, and what is no row file, come back as they are.
 */
export function withoutCommonRows(a: Buffer, b: Buffer): [a: Buffer, b: Buffer] {
  const [left, right] = [takeApart(a), takeApart(b)]
  if (!left || !right || left.header !== right.header) return [a, b]
  const counts = new Map<string, number>()
  for (const row of left.rows) counts.set(row, (counts.get(row) ?? 0) + 1)
  const onlyRight = right.rows.filter((row) => !take(counts, row))
  const onlyLeft = left.rows.filter((row) => take(counts, row))
  return [putTogether(left.header, onlyLeft), putTogether(right.header, onlyRight)]
}

/** Counts one less; false if there is none. */
function take(counts: Map<string, number>, row: string): boolean {
  const count = counts.get(row) ?? 0
  if (count > 0) counts.set(row, count - 1)
  return count > 0
}

interface RowLines {
  header: string
  /** From the opening parenthesis on; a character a byte. */
  rows: string[]
}

function takeApart(content: Buffer): RowLines | undefined {
  if (content.length > longestFile) return undefined
  const [header = '', ...lines] = content.toString('latin1').split('\n')
  const end = lines.splice(-2)
  if (end[0] !== ';' || end[1] !== '') return undefined
  const isRow = (line: string, index: number): boolean => line.startsWith(index === 0 ? ' (' : ',(')
  return lines.every(isRow) ? { header, rows: lines.map((line) => line.slice(1)) } : undefined
}

function putTogether(header: string, rows: readonly string[]): Buffer {
  if (rows.length === 0) return Buffer.alloc(0)
  return Buffer.from(`${header}\n ${rows.join('\n,')}\n;\n`, 'latin1')
}
