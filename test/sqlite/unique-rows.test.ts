/** Of a sound database no table is read as a whole to look for equal rows after a few changes. */

import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { changesSince, type KnownDatabase, type PageFacts, readPageFacts } from '../../src/sqlite/known.ts'
import { planDump } from '../../src/sqlite/plan-dump.ts'
import { openSnapshot } from '../../src/sqlite/snapshot.ts'
import { mayHaveEqualRows } from '../../src/sqlite/unique-rows.ts'
import { tempDir } from '../support/temp.ts'

/** Which tables may have equal rows since then, and what is known afterwards. */
async function unsureTables(
  file: string,
  known?: KnownDatabase,
): Promise<{ unsure: string[]; known: KnownDatabase }> {
  const snapshot = await openSnapshot(file, { workDir: tempDir(), busyTimeoutMs: 1000, extensions: [] })
  try {
    const { db, pages } = snapshot
    if (!pages) throw new Error('the snapshot has no pages')
    const planned = planDump(db, { excludeTables: [], fullText: 'logical', extensions: [] })
    const facts = (await readPageFacts(pages, planned, '3')) as PageFacts
    const { scan } = facts
    const found = { pageSize: pages.pageSize, digests: scan.digests, tables: new Map() }
    const changes = known && changesSince(planned, facts, known)
    expect(changes === undefined).toBe(known === undefined)
    const unsure = (changes?.trees ?? []).filter((trees) => mayHaveEqualRows(db, pages, trees))
    return { unsure: unsure.map(({ source }) => source.table), known: found }
  } finally {
    await snapshot.close()
  }
}

/** Unique indexes of all kinds, whose keys are long, NULL, collated, falling and converted. */
const schema = `
  CREATE TABLE a(id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE UNIQUE, r REAL, long TEXT, UNIQUE(r, name COLLATE RTRIM));
  CREATE UNIQUE INDEX a_long ON a(long DESC);
  CREATE UNIQUE INDEX a_some ON a(name) WHERE r>5;
  CREATE UNIQUE INDEX a_expression ON a(lower(name));
  CREATE TABLE "b ""quoted"""(x UNIQUE, "y z", UNIQUE("y z", x));
  CREATE TABLE w(k TEXT PRIMARY KEY, u UNIQUE) WITHOUT ROWID;
  CREATE TABLE plain(x);`

const fill = (from: number, count: number): string => `
  WITH RECURSIVE n(i) AS (SELECT ${from} UNION ALL SELECT i+1 FROM n WHERE i<${from + count - 1})
  INSERT INTO a SELECT i*iif(i%2,1,-9007199254740), iif(i%9=0,NULL,'Name '||i), i, i||hex(zeroblob(iif(i%100=0,3000,10))) FROM n;
  WITH RECURSIVE n(i) AS (SELECT ${from} UNION ALL SELECT i+1 FROM n WHERE i<${from + count - 1})
  INSERT INTO "b ""quoted""" SELECT CASE i%4 WHEN 0 THEN NULL WHEN 1 THEN i WHEN 2 THEN 'x'||i ELSE i+0.5 END, i%3 FROM n;
  WITH RECURSIVE n(i) AS (SELECT ${from} UNION ALL SELECT i+1 FROM n WHERE i<${from + count - 1})
  INSERT INTO w SELECT 'k'||i, 'u'||i FROM n;`

test('No table of a sound database is read as a whole after a few changes.', async () => {
  for (const encoding of ['UTF-8', 'UTF-16le'])
    for (const pageSize of [512, 4096]) {
      const file = join(tempDir(), 'app.db')
      const db = new Database(file)
      db.exec(
        `PRAGMA page_size=${pageSize}; PRAGMA encoding='${encoding}'; ${schema} BEGIN; ${fill(1, 30_000)} COMMIT`,
      )
      let { known } = await unsureTables(file)
      for (const change of [
        `UPDATE a SET name='changed', r=-1 WHERE id=5001`,
        `UPDATE a SET name=NULL WHERE id=5003; UPDATE a SET name='NAME 5003' WHERE id=5005`,
        `DELETE FROM a WHERE id IN (1,3,7777)`,
        `UPDATE a SET long='x'||long WHERE id=-100*9007199254740`,
        `UPDATE "b ""quoted""" SET x='other' WHERE x=9001`,
        fill(40_000, 5),
        `DELETE FROM w WHERE k='k500'; UPDATE w SET u='u500' WHERE k='k501'`,
        'INSERT INTO plain VALUES (1)',
      ]) {
        db.exec(change)
        const now = await unsureTables(file, known)
        expect({ encoding, pageSize, change, unsure: now.unsure }).toMatchObject({ unsure: [] })
        known = now.known
      }
      db.close()
    }
})
