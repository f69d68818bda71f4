/** Keys that are compared by the bytes of their lines are ordered as SQLite orders them, or it is asked. */

import Database from 'better-sqlite3'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type KeyPart, keyRises } from '../../src/dump/key-order.ts'
import { literal, type Value } from '../../src/dump/literal.ts'

const text = fc
  .array(fc.constantFrom('a', 'A', 'b', 'Z', '_', '[', ' ', "'", ',', ')', 'é', '\u{1f600}', '\x01', '\n'), {
    maxLength: 4,
  })
  .map((parts): Value => ({ text: Buffer.from(parts.join('')) }))
const integer = fc.oneof(
  fc.bigInt({ min: -12n, max: 12n }),
  fc.constantFrom(2n ** 53n, 2n ** 53n + 1n, -(2n ** 63n), 2n ** 63n - 1n, 999999999999999n, 10n ** 15n),
)
const real = fc.oneof(
  fc.constantFrom(0.5, 1.5, -0.0, 1e300, Number.POSITIVE_INFINITY, 2 ** 53, 1e-7),
  fc.double({ noNaN: true }),
)
const value: fc.Arbitrary<Value> = fc.oneof(
  text,
  text,
  integer,
  real,
  fc.uint8Array({ maxLength: 2 }).map((bytes) => Buffer.from(bytes)),
)
const part: fc.Arbitrary<KeyPart> = fc.record({
  collation: fc.constantFrom('BINARY', 'NOCASE', 'RTRIM'),
  descending: fc.boolean(),
})

/** A line as a dump has it, with a value behind the key, and with something before it. */
function line(key: readonly Value[]): Buffer {
  return Buffer.from(`\n,(${key.map((one) => literal(one, 'UTF-8')).join(',')},1)\n`)
}

function parameter(one: Value): bigint | number | Buffer | string | null {
  return one !== null && typeof one === 'object' && 'text' in one ? one.text.toString() : one
}

test.each(['UTF-8', 'UTF-16le', 'UTF-16be'])(
  'A key is said to rise only where it does, and mostly then, in %s.',
  (encoding) => {
    const db = new Database(':memory:')
    db.pragma(`encoding='${encoding}'`)
    db.exec('CREATE TABLE fixes_it(x)')
    let [asked, risen] = [0, 0]
    fc.assert(
      fc.property(
        fc.array(fc.tuple(part, value, value, fc.boolean()), { minLength: 1, maxLength: 3 }),
        (columns) => {
          const parts = columns.map(([one]) => one)
          const first = columns.map(([, one]) => one)
          const second = columns.map(([, one, other, isSame]) => (isSame ? one : other))
          const term = (key: readonly Value[]) => key.map(() => '?').join(',')
          const order = parts.map(
            ({ collation, descending }, at) => `k${at} COLLATE ${collation}${descending ? ' DESC' : ''}`,
          )
          const names = parts.map((_, at) => `k${at}`).join(',')
          // The rank of both: 1 and 2 where the first comes before the second, 1 and 1 where they are equal.
          const ranks = db
            .prepare(
              `WITH keys(n,${names}) AS (SELECT 1,${term(first)} UNION ALL SELECT 2,${term(second)})
            SELECT rank() OVER (ORDER BY ${order}) FROM keys ORDER BY n`,
            )
            .pluck()
            .all([...first, ...second].map(parameter)) as number[]
          const rises = (ranks[0] as number) < (ranks[1] as number)
          const shown = parts.map(({ collation, descending }) => ({
            collation: collation === 'BINARY' && encoding !== 'UTF-8' ? ('UTF-16' as const) : collation,
            descending,
          }))
          const said = keyRises(line(first), 1, line(second), 1, shown)
          if (rises) risen += 1
          if (rises && !said) asked += 1
          if (said) expect(rises).toBe(true)
        },
      ),
      { numRuns: Number(process.env.ROWBACK_RUNS ?? 5000) },
    )
    expect(risen).toBeGreaterThan(1000)
    expect(asked / risen).toBeLessThan(0.5)
  },
)
