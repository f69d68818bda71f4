import { execFileSync } from 'node:child_process'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseReal, realLiteral, realPattern } from '../../src/dump/real.ts'

function bits(value: number): string {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(value)
  return bytes.toString('hex')
}

function parsed(text: string): number {
  if (text === 'Inf') return Number.POSITIVE_INFINITY
  return text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text)
}

const double = fc.oneof(
  fc.double({ noNaN: true }),
  fc.integer({ min: -1e9, max: 1e9 }).map((value) => value / 10 ** (Math.abs(value) % 9)),
  fc.tuple(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })).map(([pattern]) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64BE(pattern)
    const value = bytes.readDoubleBE(0)
    return Number.isNaN(value) ? 0 : value
  }),
)

describe('the literal of a double', () => {
  it('is read back by us and by SQLite to the same bits', () => {
    const db = new Database(':memory:')
    fc.assert(
      fc.property(double, (value) => {
        const literal = realLiteral(value)
        const read = db.prepare(`SELECT ${literal}`).pluck().get() as number
        return (
          realPattern.test(literal) && bits(parseReal(literal)) === bits(value) && bits(read) === bits(value)
        )
      }),
      { numRuns: 20_000 },
    )
    db.close()
  })

  it('is read back by stock sqlite3 to the same bits', () => {
    const values = fc.sample(double, 30_000)
    // Of one statement, SQLite compares each product with all before it.
    const inserts = values.map((value) => `INSERT INTO t VALUES (${realLiteral(value)});\n`)
    const sql = `BEGIN; CREATE TABLE t(v); ${inserts.join('')} SELECT printf('%!.20e', v) FROM t; COMMIT;`
    const read = execFileSync('sqlite3', [':memory:'], { input: sql, maxBuffer: 2 ** 28 })
      .toString()
      .trim()
      .split('\n')
    const wrong = values.filter((value, index) => value !== 0 && parsed(read[index] as string) !== value)
    expect(wrong.map((value) => realLiteral(value))).toEqual([])
  })

  it.each([
    [0.1, '0.1'],
    [1, '1.0'],
    [-0, '-0.0'],
    [0, '0.0'],
    [1e15, '1000000000000000.0'],
    [1e18, '1000000000000000000.0'],
    [2 ** 60, '1152921504606847000.0'],
    [1e22, '4768371582031250.0*2097152.0'],
    [2.5e-7, '2.5e-7'],
    [0.1 + 0.2, '0.30000000000000004'],
    [7.30000019073486, '7.30000019073486'],
    [Number.MIN_VALUE, expect.stringMatching(/^1\.0\/4611686018427387904\.0\//)],
    [Number.POSITIVE_INFINITY, '9e999'],
    [Number.NEGATIVE_INFINITY, '-9e999'],
  ])('of %d is %s', (value, literal) => {
    expect(realLiteral(value)).toEqual(literal)
  })
})
