import Database from 'better-sqlite3'
import { expect, it } from 'vitest'
import { firstName } from '../../src/dump/cut.ts'
import { rowidTerm } from '../../src/dump/plan.ts'
import { dumpRows } from '../../src/sqlite/dump-rows.ts'
import { planDump, rowSources } from '../../src/sqlite/plan-dump.ts'

/** A table with the keys 1 to 100. */
function hundredRows() {
  const db = new Database(':memory:')
  db.exec(`CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER);
    WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i<100) INSERT INTO t SELECT i, 101-i FROM n`)
  const [source] = rowSources(planDump(db, { excludeTables: [], fullText: 'logical', extensions: [] }))
  if (!source) throw new Error('the table has no rows')
  return { db, source }
}

it('A dump that lost rows of a table is refused.', () => {
  const { db, source } = hundredRows()
  expect([...dumpRows(db, { source }, 'UTF-8')].map(({ rows }) => rows)).toEqual([100])
  // Pages in another order than that of the key that each begins behind.
  const disordered = { ...source, orderBy: [rowidTerm('v')] }
  expect(() => [...dumpRows(db, { source: disordered }, 'UTF-8')]).toThrow(
    /^dump table "t": \d+ rows came of 100; nothing was/,
  )
})

it('Rows that do not end with the key that was expected are refused.', () => {
  const { db, source } = hundredRows()
  const dumped = (last: string): number[] => {
    const rows = { from: undefined, before: 0, count: 100 }
    const steps = [{ rows, path: `${firstName}/${firstName}`, lastKey: [last] }]
    return [...dumpRows(db, { source, steps }, 'UTF-8')].map((file) => file.rows)
  }
  expect(dumped('100')).toEqual([100])
  // The second is how the right one begins.
  for (const last of ['99', '10', '1001'])
    expect(() => dumped(last)).toThrow(
      'dump table "t": its rows do not end where its pages do; nothing was committed',
    )
})
