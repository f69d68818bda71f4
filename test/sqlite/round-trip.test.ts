import { execFileSync } from 'node:child_process'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { backup } from '../../src/backup.ts'
import { restore } from '../../src/restore.ts'
import {
  allFacts,
  databaseFrom,
  definedTables,
  dumpFile,
  facts,
  openApplication,
  otherObjects,
  replayed,
  replayedByStock,
  tableFacts,
} from '../support/database.ts'
import { exactHazards, hazards } from '../support/hazards.ts'
import { tempDir } from '../support/temp.ts'

describe('a dump brings back every bit', () => {
  for (const [name, sql] of Object.entries({ ...hazards, ...exactHazards })) {
    it(`of ${name}, by our replay`, async () => {
      const source = databaseFrom(sql)
      const files = dumpFile(source)
      const copy = await replayed(files)
      expect(facts(copy)).toEqual(facts(source))
      expect(dumpFile(copy)).toEqual(files)
    })
    it(`of ${name}, by stock sqlite3`, () => {
      const source = databaseFrom(sql)
      expect(facts(replayedByStock(dumpFile(source)))).toEqual(facts(source))
    })
  }
})

describe('a table that is replayed alone is as it is among the others', () => {
  for (const [name, sql] of Object.entries({ ...hazards, ...exactHazards })) {
    it(`with ${name}`, async () => {
      const files = dumpFile(databaseFrom(sql))
      const whole = await replayed(files)
      // Of 500 tables that are all alike these are enough.
      for (const table of definedTables(files).slice(0, 6)) {
        const alone = await replayed(files, table)
        expect(tableFacts(alone, table)).toEqual(tableFacts(whole, table))
        expect(otherObjects(alone, table)).toEqual([])
      }
    })
  }
})

describe('a dump with full-text indexes as they are', () => {
  for (const name of [
    'full-text indexes with content of their own',
    'full-text indexes over other tables, with triggers',
    'R-trees',
  ]) {
    it(`brings back every bit of ${name}`, async () => {
      const source = databaseFrom(hazards[name] as string)
      const files = dumpFile(source, { fullText: 'exact' })
      expect(allFacts(await replayed(files))).toEqual(allFacts(source))
      expect(allFacts(replayedByStock(files))).toEqual(allFacts(source))
    })
  }
})

describe('a dump of exact virtual tables', () => {
  for (const [name, sql] of Object.entries(exactHazards)) {
    it(`holds every bit of ${name}`, async () => {
      const source = databaseFrom(sql)
      const files = dumpFile(source)
      expect(allFacts(await replayed(files))).toEqual(allFacts(source))
      expect(allFacts(replayedByStock(files))).toEqual(allFacts(source))
    })
  }
})

it('The next row gets the same id where a sequence table has several rows of its table.', async () => {
  const source = databaseFrom(hazards['a sequence table with several rows of one name'] as string)
  const files = dumpFile(source)
  const insert = 'INSERT INTO d(v) VALUES (1); SELECT id FROM d'
  for (const copy of [await replayed(files), replayedByStock(files), source])
    expect(execFileSync('sqlite3', [copy, insert]).toString()).toBe('91\n')
})

it('Rowids that columns hide come back, of a private copy and of a database in use.', async () => {
  const sql = hazards['rowids that columns hide, with gaps'] as string
  const rowids = ['a 1', 'a 3', 'b -9223372036854775808', 'b -1', 'b 9223372036854775807']
  const source = databaseFrom(`PRAGMA journal_mode=WAL; ${sql}`)
  expect(hiddenRowids(source)).toEqual(rowids)
  const files = dumpFile(source)
  expect(hiddenRowids(await replayed(files))).toEqual(rowids)
  expect(hiddenRowids(replayedByStock(files))).toEqual(rowids)

  await openApplication(source, 'CREATE TABLE more(v)')
  const repository = join(tempDir(), 'repo.git')
  await backup({ source, repository, verify: 'always' })
  const target = join(tempDir(), 'restored')
  await restore({ repository, rev: 'latest', target })
  expect(hiddenRowids(join(target, 'source.db'))).toEqual(rowids)
})

/** The rowids of tables a and b, read in a copy under other definitions. */
function hiddenRowids(file: string): string[] {
  const copy = join(tempDir(), 'copy.db')
  copyFileSync(file, copy)
  databaseFrom(
    `PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE type<>'table';
     UPDATE sqlite_schema SET sql='CREATE TABLE '||name||'(u)';`,
    copy,
  )
  const query = "SELECT 'a '||rowid FROM a UNION ALL SELECT 'b '||rowid FROM b"
  return execFileSync('sqlite3', [copy, query]).toString().trimEnd().split('\n')
}

describe('a dump of a table whose key is called', () => {
  // Names that the queries of a dump use, or have used, for something else.
  for (const name of ['x', 'X', 'line', 'page', 'row', 'value']) {
    const rows = (count: string, values: string): string =>
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<${count}) INSERT INTO ${values} FROM n;`
    it(`${name}, and of one that has the name itself, holds every row once and in order`, async () => {
      const source = databaseFrom(
        `CREATE TABLE number("${name}" INTEGER PRIMARY KEY, v); ${rows('300', 'number SELECT i, i')}
         CREATE TABLE text("${name}" TEXT, n INT, PRIMARY KEY("${name}", n)) WITHOUT ROWID;
         ${rows('300', "text SELECT 'key '||(i%7), i")}
         CREATE TABLE "${name}"("${name}" UNIQUE, v); ${rows('300', `"${name}" SELECT i/2.0, i`)}`,
      )
      const files = dumpFile(source)
      expect(facts(await replayed(files))).toEqual(facts(source))
      expect(facts(replayedByStock(files))).toEqual(facts(source))
    })
  }
})

it('a geopoly table, whose module stock sqlite3 lacks, comes back with its shapes.', async () => {
  const source = join(tempDir(), 'source.db')
  const db = new Database(source)
  db.exec(`CREATE VIRTUAL TABLE shape USING geopoly(name);
    INSERT INTO shape(_shape, name) VALUES ('[[0,0],[4,0],[0,3],[0,0]]', 'triangle'), ('[[1,1],[2,1],[2,2],[1,2],[1,1]]', NULL);
    DELETE FROM shape WHERE name='triangle'; INSERT INTO shape(_shape, name) VALUES ('[[0,0],[9,0],[0,9],[0,0]]', 'again')`)
  db.close()
  const copy = await replayed(dumpFile(source))
  expect(facts(copy)).toEqual(facts(source))
  const found = `SELECT rowid, name, geopoly_json(_shape) FROM shape WHERE geopoly_overlap(_shape, '[[0,0],[5,0],[0,5],[0,0]]')`
  const rowsOf = (file: string): unknown[] => {
    const opened = new Database(file, { readonly: true })
    const rows = opened.prepare(found).all()
    opened.close()
    return rows
  }
  expect(rowsOf(copy)).toEqual(rowsOf(source))
  expect(rowsOf(copy)).toHaveLength(2)
})

it('the setting `automerge` of an FTS4 index comes back.', async () => {
  const source =
    databaseFrom(`CREATE VIRTUAL TABLE found USING fts4(a); INSERT INTO found(a) VALUES ('one two');
    INSERT INTO found(found) VALUES ('automerge=4');`)
  const setting = (file: string): unknown => {
    const db = new Database(file, { readonly: true })
    const rows = db.prepare('SELECT id, CAST(value AS BLOB) FROM found_stat WHERE id=2').raw().all()
    db.close()
    return rows
  }
  expect(setting(source)).toHaveLength(1)
  const files = dumpFile(source)
  for (const copy of [await replayed(files), replayedByStock(files)]) {
    expect(setting(copy)).toEqual(setting(source))
    expect(facts(copy)).toEqual(facts(source))
  }
})
