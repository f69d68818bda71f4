/** Reads the key of a row off its page. */

import { literal, type Value } from '../dump/literal.ts'
import type { RowSource } from '../dump/plan.ts'
import type { RowPlace } from '../dump/reuse.ts'
import { cellPayload, cellRowid, headerStart, type Payload, pageType, recordValues } from './btree.ts'
import type { Pages } from './pages.ts'

/** The literals of the key of a source's row, whose text is UTF-8. */
export function keyLiterals(pages: Pages, { page, cell }: RowPlace, source: RowSource): string[] {
  const bytes = pages.read(page)
  const start = headerStart(page)
  if (bytes[start] === pageType.leafTable) return [literal(cellRowid(bytes, start, cell), 'UTF-8')]
  const payload = cellPayload(bytes, start, cell, pages.usable)
  const values = leadingValues(pages, payload, source.keyColumns)
  return values.map((value, index) => literal(asRead(value, source, index), 'UTF-8'))
}

/** SQLite stores a REAL without a fraction as an integer, and reads it back as what it was. */
function asRead(value: Value, { columns }: RowSource, index: number): Value {
  const affinity = columns[index]?.column.affinity
  return typeof value === 'bigint' && affinity?.endsWith('real') ? Number(value) : value
}

/** The first values of a record, of which no more is read than they need. */
function leadingValues(pages: Pages, payload: Payload, count: number): Value[] {
  const rest = overflowParts(pages, payload)
  let record = payload.local
  for (;;) {
    try {
      return recordValues(record, count)
    } catch (error) {
      if (!(error instanceof RangeError) || record.length === payload.size) throw error
    }
    const parts = [record]
    // As much again as there is: a record of many pages is not copied with each of them.
    for (let left = record.length; left > 0; left -= pages.usable) {
      const { done, value } = rest.next()
      if (done) break
      parts.push(value)
    }
    record = Buffer.concat(parts)
  }
}

/** All of a record. Throws a RangeError if its overflow pages end before it does. */
export function wholeRecord(pages: Pages, payload: Payload): Buffer {
  const rest = [...overflowParts(pages, payload)]
  return rest.length === 0 ? payload.local : Buffer.concat([payload.local, ...rest])
}

/** What a record has on overflow pages, page by page. Throws a RangeError if they end before it does. */
function* overflowParts(pages: Pages, { size, local, overflow }: Payload): Generator<Buffer, undefined> {
  let next = overflow
  for (let left = size - local.length; left > 0; left -= pages.usable - 4) {
    if (next === 0) throw new RangeError('a record is cut short')
    const bytes = pages.read(next)
    yield bytes.subarray(4, Math.min(pages.usable, 4 + left))
    next = bytes.readUInt32BE(0)
  }
}
