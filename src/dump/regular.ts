/**
 * Whether a plain INSERT brings a value back as it is: pure. A row of which that is not true (it breaks a NOT
 * NULL clause or its column's type; no INSERT could have made it) is irregular, and its table is replayed
 * without its constraints.
 */

import type { Value } from './literal.ts'
import type { Affinity, Column } from './schema.ts'

/** Whether `value` in that column survives an INSERT into the table as it is declared. */
export function isRegular(value: Value, column: Column): boolean {
  if (value === null) return !column.notNull
  const stored = storageClass(value)
  if (Object.is(value, -0) && losesSign(column.affinity)) return false
  switch (column.affinity) {
    case 'none':
      return true
    case 'integer':
    case 'numeric':
      return stored === 'text' ? !isNumericText(value) : stored !== 'real' || !becomesInteger(value as number)
    case 'real':
      return stored === 'text' ? !isNumericText(value) : stored !== 'integer'
    case 'text':
      return stored === 'text' || stored === 'blob'
    default:
      return stored === strictClass(column.affinity)
  }
}

/** A column of reals stores what is an integer as one, and gives it back as a real: -0.0 as 0.0. */
export function losesSign(affinity: Affinity): boolean {
  return affinity === 'real' || affinity === 'strict real'
}

function strictClass(affinity: Affinity): string {
  return affinity.slice('strict '.length)
}

type StorageClass = 'integer' | 'real' | 'text' | 'blob'

function storageClass(value: Exclude<Value, null>): StorageClass {
  if (typeof value === 'bigint') return 'integer'
  if (typeof value === 'number') return 'real'
  return Buffer.isBuffer(value) ? 'blob' : 'text'
}

/** Whether numeric affinity would make a number of the text; bytes of any encoding, NULs of UTF-16 left out. */
function isNumericText(value: Value): boolean {
  const bytes = (value as { text: Buffer }).text
  return /^[ \t\n\v\f\r]*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[ \t\n\v\f\r]*$/.test(
    bytes.toString('latin1').replaceAll('\0', ''),
  )
}

/** sqlite3VdbeIntegerAffinity(): a REAL that is an integer below 2^63 is stored as one. */
function becomesInteger(value: number): boolean {
  return Number.isInteger(value) && Math.abs(value) < 2 ** 63
}
