/** Rows of megabytes: they are rendered, compressed and replayed in ways of their own. */

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { backup } from '../../src/backup.ts'
import { restore } from '../../src/restore.ts'
import type { DumpFile } from '../../src/sqlite/dump-rows.ts'
import { allFacts, databaseFrom, dumpFile, facts, replayed, replayedByStock } from '../support/database.ts'
import { tempDir } from '../support/temp.ts'

/** Megabytes are compared as a digest: to compare them in full, or to show how they differ, takes minutes. */
function digest(parts: readonly (string | DumpFile)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(typeof part === 'string' ? `${part}\n` : part.content)
  return hash.digest('hex')
}

const prose = `replace(hex(zeroblob(120000)), '0', 'it''s ä' || char(10))`

describe.each(['UTF-8', 'UTF-16le'])('rows of megabytes in a %s database', (encoding) => {
  const tables = `PRAGMA encoding='${encoding}';
    CREATE TABLE note(id INTEGER PRIMARY KEY, a, b);
    INSERT INTO note VALUES (1, 'short', 1.5), (2, randomblob(3000000), NULL), (3, ${prose}, -0.0),
      (4, randomblob(2000000), randomblob(1500000)), (5, ${prose} || char(13), 'short'), (6, 7, 8);
    CREATE TABLE key(name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
    INSERT INTO key VALUES ('b', randomblob(1200000)), ('a', ${prose});
    CREATE TABLE plain(a TEXT NOT NULL, b INTEGER);
    INSERT INTO plain(rowid, a, b) VALUES (7, ${prose}, 1), (9, 'short', zeroblob(1100000));`

  it('come back to the bit, by our replay and by stock sqlite3', async () => {
    const source = databaseFrom(tables)
    const files = dumpFile(source)
    const copy = await replayed(files)
    expect(digest(facts(copy))).toBe(digest(facts(source)))
    expect(digest(dumpFile(copy))).toBe(digest(files))
    expect(digest(allFacts(replayedByStock(files)))).toBe(digest(allFacts(source)))
  })
})

const bytesThatAreNoText = `INSERT INTO note VALUES (1, CAST(x'ff' || randomblob(2000000) AS TEXT)),
  (2, CAST(zeroblob(1500000) AS TEXT)), (3, CAST(hex(randomblob(1000000)) || char(0) AS TEXT))`

it('texts of megabytes that are no UTF-8 or hold a NUL come back to the bit', async () => {
  const source = databaseFrom(`CREATE TABLE note(id INTEGER PRIMARY KEY, a TEXT); ${bytesThatAreNoText}`)
  expect(digest(facts(await replayed(dumpFile(source))))).toBe(digest(facts(source)))
})

it('a blob of 18 MB is backed up and restored', async () => {
  const dir = tempDir()
  const source = databaseFrom(
    'CREATE TABLE note(id INTEGER PRIMARY KEY, a); INSERT INTO note VALUES (1, randomblob(18000000))',
    join(dir, 'app.db'),
  )
  const repository = join(dir, 'repo.git')
  await backup({ source, repository })
  expect(execFileSync('git', ['-C', repository, 'fsck', '--strict'], { encoding: 'utf8' })).toBe('')
  await restore({ repository, rev: 'latest', target: join(dir, 'out') })
  expect(digest(allFacts(join(dir, 'out', 'app.db')))).toBe(digest(allFacts(source)))
})

it.each([
  ['blob', 'zeroblob(251000000)'],
  ['text', "CAST(replace(hex(zeroblob(125500000)), '00', 'abcd') AS TEXT)"],
])('a %s that takes more than 500 MB of SQL is refused by table and row', async (_, value) => {
  const dir = tempDir()
  const source = databaseFrom(
    `CREATE TABLE note(id INTEGER PRIMARY KEY, a); INSERT INTO note VALUES (1, 'short'), (7, ${value})`,
    join(dir, 'app.db'),
  )
  await expect(backup({ source, repository: join(dir, 'repo.git') })).rejects.toMatchObject({
    code: 'source',
    message: expect.stringContaining(
      'dump table "note": its row 7 takes more than 500 MB of SQL; nothing was committed',
    ),
  })
})
