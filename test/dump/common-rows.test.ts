/** Rows that two files have in common are left out, and no others. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { withoutCommonRows } from '../../src/dump/common-rows.ts'

const header = 'INSERT INTO "t"("id","v") VALUES'

function file(rows: readonly string[], columns = header): Buffer {
  return rows.length === 0 ? Buffer.alloc(0) : Buffer.from(`${columns}\n ${rows.join('\n,')}\n;\n`)
}

/** What is in one list and not in the other, as often as it is. */
function rest(rows: readonly string[], others: readonly string[]): string[] {
  const left = [...others]
  return rows.filter((row) => {
    const at = left.indexOf(row)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
}

const row = fc.integer({ min: 0, max: 12 }).map((id) => `(${id},'größe ${id}')`)
const rows = fc.array(row, { minLength: 1, maxLength: 30 })

test('rows in common are left out, each as often as the other file has it.', () => {
  fc.assert(
    fc.property(rows, rows, (a, b) => {
      const [left, right] = withoutCommonRows(file(a), file(b))
      const linesOf = (content: Buffer): string[] => content.toString().split('\n').slice(1, -2)
      expect(
        linesOf(left)
          .map((line) => line.slice(1))
          .sort(),
      ).toEqual(rest(a, b).sort())
      expect(
        linesOf(right)
          .map((line) => line.slice(1))
          .sort(),
      ).toEqual(rest(b, a).sort())
    }),
  )
})

test('files with other columns, and what is no row file, stay as they are.', () => {
  const rows = file(['(1,2)'])
  for (const other of [
    file(['(1,2)'], 'INSERT INTO "t"("id","w") VALUES'),
    Buffer.from('x'),
    Buffer.alloc(0),
  ])
    expect(withoutCommonRows(rows, other)).toEqual([rows, other])
})
