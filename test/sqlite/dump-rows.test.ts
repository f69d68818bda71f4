import Database from 'better-sqlite3'
import { expect, it } from 'vitest'
import { rowidTerm } from '../../src/dump/plan.ts'
import { dumpRows } from '../../src/sqlite/dump-rows.ts'
import { planDump, rowSources } from '../../src/sqlite/plan-dump.ts'

it('A dump that lost rows of a table is refused.', () => {
  const db = new Database(':memory:')
  db.exec(`CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER);
    WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i<100) INSERT INTO t SELECT i, 101-i FROM n`)
  const [source] = rowSources(planDump(db, { excludeTables: [], fullText: 'logical', extensions: [] }))
  if (!source) throw new Error('the table has no rows')
  expect([...dumpRows(db, { source }, 'UTF-8')].map(({ rows }) => rows)).toEqual([100])
  // Pages in another order than that of the key that each begins behind.
  const disordered = { ...source, orderBy: [rowidTerm('v')] }
  expect(() => [...dumpRows(db, { source: disordered }, 'UTF-8')]).toThrow(
    /^dump table "t": \d+ rows came of 100; nothing was/,
  )
})
