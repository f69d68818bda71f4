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

/** The rows of a file, in its order. */
function rowsIn(content: Buffer): string[] {
  const lines = content.toString().split('\n').slice(1, -2)
  return lines.map((line) => line.slice(1))
}

const row = fc.integer({ min: 0, max: 12 }).map((id) => `(${id},'größe ${id}')`)
const rows = fc.array(row, { minLength: 1, maxLength: 30 })

test('rows in common are left out, each as often as the other file has it.', () => {
  fc.assert(
    fc.property(rows, rows, (a, b) => {
      const [left, right] = withoutCommonRows(file(a), file(b))
      expect(rowsIn(left).sort()).toEqual(rest(a, b).sort())
      expect(rowsIn(right).sort()).toEqual(rest(b, a).sort())
    }),
  )
})

test('rows in common are left out of files that share most of them.', () => {
  const change = fc.record({ at: fc.nat(), removed: fc.nat(2), added: fc.array(row, { maxLength: 2 }) })
  fc.assert(
    fc.property(rows, fc.array(change, { maxLength: 3 }), (a, changes) => {
      const b = [...a]
      for (const { at, removed, added } of changes) b.splice(at % (b.length + 1), removed, ...added)
      if (b.length === 0) return
      const [left, right] = withoutCommonRows(file(a), file(b))
      expect(rowsIn(left).sort()).toEqual(rest(a, b).sort())
      expect(rowsIn(right).sort()).toEqual(rest(b, a).sort())
      for (const content of [left, right]) expect(content).toEqual(file(rowsIn(content)))
    }),
  )
})

test('files with other columns, and what is no row file, stay as they are.', () => {
  const rows = file(['(1,2)'])
  for (const other of [
    file(['(1,2)'], 'INSERT INTO "t"("id","w") VALUES'),
    Buffer.from('x'),
    Buffer.alloc(0),
    Buffer.concat([rows, Buffer.from(',(2,3)\n;\n')]),
    Buffer.from(`${header}\n (1,2)\nx\n;\n`),
  ])
    expect(withoutCommonRows(rows, other)).toEqual([rows, other])
})
