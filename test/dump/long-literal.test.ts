/** Literals of long values are those of short ones, and come back from within a row file. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodedRows } from '../../src/dump/decode-rows.ts'
import { type Encoding, literal, type Value } from '../../src/dump/literal.ts'
import { longLiteral } from '../../src/dump/long-literal.ts'
import { checkRows, parseRowHeader, rowFile, rowHeader } from '../../src/dump/rows.ts'

const hazards = [
  "'",
  "''",
  '\n',
  '\r',
  '\r\n',
  '\\n',
  '\\x0A',
  '\\u000A',
  '\\r',
  '\\x0D',
  '\\u000D',
  '\\',
  'ä',
  '🙂',
  'a',
]
const text = fc.array(fc.constantFrom(...hazards)).map((parts) => Buffer.from(parts.join('')))
const bytes = fc.uint8Array().map((array) => Buffer.from(array))
const value = fc.oneof(
  bytes,
  fc.oneof({ weight: 4, arbitrary: text }, { weight: 1, arbitrary: bytes }).map((text) => ({ text })),
)

test('a long literal is written as a short one', () => {
  fc.assert(
    fc.property(value, (value) => {
      const long = longLiteral(value)
      const target = Buffer.alloc(long.length + 2, '.')
      expect(long.write(target, 1)).toBe(long.length + 1)
      expect(target.toString()).toBe(`.${literal(value, 'UTF-8')}.`)
    }),
    { numRuns: 1000 },
  )
})

/** Values of 64 KiB and more, which are decoded where they lie, beside short ones. */
const row = fc
  .tuple(value, fc.boolean(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))
  .map(([value, isLong, id]): Value[] => {
    const repeated = (bytes: Buffer) =>
      isLong && bytes.length > 0 ? Buffer.alloc(70_000 - (70_000 % bytes.length), bytes) : bytes
    return [id, Buffer.isBuffer(value) ? repeated(value) : { text: repeated(value.text) }, 0.1, null]
  })

test.each<Encoding>(['UTF-8', 'UTF-16le'])(
  'rows are decoded within their file, of a %s database',
  (encoding) => {
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 4 }), (rows) => {
        const stored = rows.map((row) => row.map((value) => inEncoding(value, encoding)))
        const lines = stored.map((row) =>
          Buffer.from(`,(${row.map((value) => literal(value, encoding)).join(',')})\n`),
        )
        const content = rowFile(Buffer.from(rowHeader('t', ['id', 'a', 'b', 'c'])), lines)
        const header = parseRowHeader(content, 'path')
        expect(checkRows(content, header, 'path')).toBe(rows.length)
        const found: string[][] = []
        for (const values of decodedRows(content, header, encoding)) found.push(values.map(shown))
        expect(found).toEqual(stored.map((row) => row.map(shown)))
      }),
      { numRuns: 60 },
    )
  },
)

/** A text as a database of that encoding could store it. */
function inEncoding(value: Value, encoding: Encoding): Value {
  if (encoding === 'UTF-8' || value === null || typeof value !== 'object' || Buffer.isBuffer(value))
    return value
  return { text: Buffer.from(value.text.toString('utf8'), 'utf16le') }
}

/** A value as a text: buffers take long to compare, and what lies in the content may be overwritten by the next row. */
function shown(value: Value): string {
  if (value === null || typeof value !== 'object') return `${typeof value} ${value}`
  return Buffer.isBuffer(value) ? `blob ${value.toString('latin1')}` : `text ${value.text.toString('latin1')}`
}
