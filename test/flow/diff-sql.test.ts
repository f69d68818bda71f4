/** `rowback diff --sql`: what stock sqlite3 makes of the older database is the newer one. */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { databaseFrom } from '../support/database.ts'
import { rowback } from '../support/in-process.ts'
import { build, type DatabaseSpec, database, isSound } from '../support/random-database.ts'
import { diffOf, pairOf, rowsOf, run } from '../support/script-pair.ts'
import { tempDir } from '../support/temp.ts'

/** The script for two states, which has made the newer rows of the older ones. */
async function script(before: string, change: string): Promise<string[]> {
  const pair = pairOf(before, change)
  const { code, stdout, stderr } = await diffOf(pair)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  run(pair.before, stdout)
  expect(rowsOf(pair.before)).toEqual(rowsOf(pair.after))
  return stdout.trimEnd().split('\n')
}

const opening = [
  '-- for the sqlite3 shell: it stops at the first error, and nothing is changed then',
  '.bail on',
  '.dbconfig enable_trigger off',
  'PRAGMA foreign_keys=OFF;',
  'PRAGMA ignore_check_constraints=ON;',
  'BEGIN;',
]

describe('the script makes the newer rows of the older ones', () => {
  test('by statements about each row.', async () => {
    const sql = await script(
      `CREATE TABLE b(id INTEGER PRIMARY KEY, t, u); INSERT INTO b VALUES (1,'a',1),(2,'b',2),(3,'c',3);
       CREATE TABLE w(k1, k2, v, PRIMARY KEY(k1,k2)) WITHOUT ROWID; INSERT INTO w VALUES (1,'x',1),(1,'y',2);`,
      `UPDATE b SET t='A' WHERE id=1; DELETE FROM b WHERE id=2; INSERT INTO b VALUES (4,NULL,-0.5);
       UPDATE w SET v=3 WHERE k2='y'`,
    )
    expect(sql).toEqual([
      ...opening,
      '-- table main b',
      'DELETE FROM "b" WHERE "id" IS 2;',
      `UPDATE "b" SET "t"='A' WHERE "id" IS 1;`,
      'INSERT INTO "b"("id","t","u") VALUES(4,NULL,-0.5);',
      '-- table main w',
      `UPDATE "w" SET "v"=3 WHERE "k1" IS 1 AND "k2" IS 'y';`,
      'COMMIT;',
    ])
  })

  test('where unique values and keys move from row to row.', async () => {
    const sql = await script(
      `CREATE TABLE u(id INTEGER PRIMARY KEY, t UNIQUE ON CONFLICT REPLACE); INSERT INTO u VALUES (1,'a'),(2,'b'),(5,'q');
       CREATE TABLE tag(name TEXT PRIMARY KEY COLLATE NOCASE, n) WITHOUT ROWID; INSERT INTO tag VALUES ('abc',1);
       CREATE TABLE p(name TEXT PRIMARY KEY, n); INSERT INTO p VALUES ('x',1),('y',2);
       CREATE TABLE i(id INTEGER PRIMARY KEY, a); INSERT INTO i VALUES (1,1),(2,2); CREATE UNIQUE INDEX ia ON i(a);`,
      `UPDATE u SET t='c' WHERE id=1; UPDATE u SET t='a' WHERE id=2; UPDATE u SET t='b' WHERE id=1; UPDATE u SET id=3 WHERE id=5;
       UPDATE tag SET name='ABC';
       UPDATE p SET name='z' WHERE n=1; UPDATE p SET name='x' WHERE n=2; UPDATE p SET name='y' WHERE n=1;
       UPDATE i SET a=3 WHERE id=1; UPDATE i SET a=1 WHERE id=2; UPDATE i SET a=2 WHERE id=1;`,
    )
    expect(sql.slice(opening.length, -1)).toEqual([
      '-- table main i',
      'DELETE FROM "i" WHERE "id" IS 1;',
      'DELETE FROM "i" WHERE "id" IS 2;',
      'INSERT INTO "i"("id","a") VALUES(1,2);',
      'INSERT INTO "i"("id","a") VALUES(2,1);',
      '-- table main p',
      'DELETE FROM "p" WHERE "rowid" IS 1;',
      'DELETE FROM "p" WHERE "rowid" IS 2;',
      `INSERT INTO "p"("rowid","name","n") VALUES(1,'y',1);`,
      `INSERT INTO "p"("rowid","name","n") VALUES(2,'x',2);`,
      '-- table main tag',
      `DELETE FROM "tag" WHERE "name" IS 'abc';`,
      `INSERT INTO "tag"("name","n") VALUES('ABC',1);`,
      '-- table main u',
      'DELETE FROM "u" WHERE "id" IS 1;',
      'DELETE FROM "u" WHERE "id" IS 2;',
      'DELETE FROM "u" WHERE "id" IS 5;',
      `INSERT INTO "u"("id","t") VALUES(1,'b');`,
      `INSERT INTO "u"("id","t") VALUES(2,'a');`,
      `INSERT INTO "u"("id","t") VALUES(3,'q');`,
    ])
  })

  test('where characters stand in texts that the output does not write.', async () => {
    const sql = await script(
      `CREATE TABLE b(k TEXT PRIMARY KEY, t) WITHOUT ROWID; INSERT INTO b VALUES ('a'||char(8206),'x'),('b','y'),('c','z')`,
      `UPDATE b SET t='it''s '||char(8206)||'cd'||char(10)||char(27,9) WHERE k<'b';
       WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20000)
       UPDATE b SET t=(SELECT group_concat(i||char(8238)||char(10),'') FROM n) WHERE k='b'; DELETE FROM b WHERE k='c'`,
    )
    expect(sql.slice(opening.length, opening.length + 3)).toEqual([
      '-- table main b',
      `DELETE FROM "b" WHERE "k" IS 'c';`,
      `UPDATE "b" SET "t"=replace('it''s '||char(8206)||'cd\\n'||char(27)||'\t','\\n',char(10)) WHERE "k" IS 'a'||char(8206)||'';`,
    ])
  })

  test('whatever triggers and full-text indexes there are.', async () => {
    const sql = await script(
      `CREATE TABLE note(id INTEGER PRIMARY KEY, title, changed); CREATE TABLE log(id INTEGER PRIMARY KEY, line);
       CREATE TABLE other(id INTEGER PRIMARY KEY, title);
       CREATE VIRTUAL TABLE found USING fts5(title, content="note", content_rowid=id);
       CREATE VIRTUAL TABLE still USING fts5(title, content='other', content_rowid=id);
       CREATE VIRTUAL TABLE own USING fts5(words); INSERT INTO own VALUES ('hello'),('world');
       CREATE TRIGGER a AFTER INSERT ON note BEGIN INSERT INTO found(rowid,title) VALUES (new.id,new.title);
         INSERT INTO log(line) VALUES (random()); END;
       CREATE TRIGGER u AFTER UPDATE ON note BEGIN UPDATE note SET changed=random() WHERE id=new.id; END;
       INSERT INTO note VALUES (1,'dogs',0); INSERT INTO other VALUES (1,'run');`,
      `INSERT INTO note VALUES (2,'words',0); UPDATE note SET title='dogs run' WHERE id=1;
       INSERT INTO found(found) VALUES ('rebuild'); UPDATE own SET words='hello dogs' WHERE rowid=1; DELETE FROM own WHERE rowid=2`,
    )
    expect(sql.filter((line) => /own|rebuild/.test(line))).toEqual([
      '-- table main own',
      'DELETE FROM "own" WHERE "rowid" IS 2;',
      `UPDATE "own" SET "words"='hello dogs' WHERE "rowid" IS 1;`,
      `INSERT INTO "found"("found") VALUES('rebuild');`,
    ])
  })

  test('where tables come and go.', async () => {
    const sql = await script(
      `CREATE TABLE old(a); INSERT INTO old VALUES (1); CREATE INDEX by_a ON old(a);
       CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1,1)`,
      `DROP TABLE old; CREATE TABLE "new one"(id INTEGER PRIMARY KEY, a REAL UNIQUE); INSERT INTO "new one" VALUES (1,2.5);
       CREATE INDEX by_a ON "new one"(a); DELETE FROM t`,
    )
    expect(sql).toEqual([
      '-- script databases/main/20-tables.sql differs',
      '-- script databases/main/40-schema.sql differs',
      ...opening,
      'DROP TABLE "old";',
      '-- table main new one',
      'CREATE TABLE "new one"(id INTEGER PRIMARY KEY, a REAL UNIQUE);',
      'INSERT INTO "new one"("id","a") VALUES(1,2.5);',
      'CREATE INDEX by_a ON "new one"(a);',
      '-- table main old',
      '-- table main t',
      'DELETE FROM "t" WHERE "id" IS 1;',
      'COMMIT;',
    ])
  })
})

describe('what statements about rows do not make is refused before anything is printed', () => {
  const plain = 'CREATE TABLE a(id INTEGER PRIMARY KEY, v); INSERT INTO a VALUES (1,1);'
  const changed = 'UPDATE a SET v=2;'
  const standIn =
    'has generated columns, rows that no INSERT brings into it as they are, or a definition that no script can run'
  test.each([
    [
      'another key',
      'CREATE TABLE w(a,b,PRIMARY KEY(a,b)) WITHOUT ROWID; INSERT INTO w VALUES (1,1),(1,2)',
      'DROP TABLE w; CREATE TABLE w(a PRIMARY KEY,b) WITHOUT ROWID; INSERT INTO w VALUES (1,1)',
      'table "w" is defined in another way in the newer commit',
    ],
    [
      'a key for rowids',
      'CREATE TABLE w(a PRIMARY KEY,b); INSERT INTO w VALUES (1,1)',
      'DROP TABLE w; CREATE TABLE w(a PRIMARY KEY,b) WITHOUT ROWID; INSERT INTO w VALUES (1,1)',
      'table "w" is defined in another way in the newer commit',
    ],
    [
      'another column',
      'CREATE TABLE w(a INTEGER PRIMARY KEY); INSERT INTO w VALUES (1)',
      'ALTER TABLE w ADD COLUMN b; UPDATE w SET b=1',
      'table "w" is defined in another way in the newer commit',
    ],
    [
      'generated columns',
      'CREATE TABLE w(a INTEGER PRIMARY KEY, b, c AS (b+1) STORED); INSERT INTO w VALUES (1,1)',
      'UPDATE w SET b=2',
      `table "w" ${standIn}`,
    ],
    [
      'rowids that no SQL can name',
      'CREATE TABLE w(rowid, _rowid_, oid); INSERT INTO w VALUES (1,2,3),(2,3,4),(3,4,5); DELETE FROM w WHERE oid=4',
      'UPDATE w SET oid=6',
      `table "w" ${standIn}`,
    ],
    [
      'no key',
      'CREATE TABLE w(rowid, _rowid_, oid); INSERT INTO w VALUES (1,2,3)',
      'UPDATE w SET oid=6',
      'table "w" has rows with no key to name them by',
    ],
    [
      'a name that the output does not write',
      'CREATE TABLE w(a INTEGER PRIMARY KEY, "b\u200e"); INSERT INTO w VALUES (1,1)',
      'UPDATE w SET "b\u200e"=2',
      'table "w" has a control character, or one that turns the direction of text, in a name or its definition',
    ],
    [
      'an index that is gone',
      'CREATE TABLE w(a INTEGER PRIMARY KEY, b); INSERT INTO w VALUES (1,1); CREATE UNIQUE INDEX i ON w(b)',
      'DROP INDEX i; INSERT INTO w VALUES (2,1)',
      'table "w" has an index that is not in the newer commit',
    ],
    [
      'a name that is taken',
      'CREATE VIEW w AS SELECT 1',
      'DROP VIEW w; CREATE TABLE w(a); INSERT INTO w VALUES (1)',
      'table "w" or an index of it has the name of something else in the older commit',
    ],
    [
      'tables behind an index that is kept by them',
      "CREATE VIRTUAL TABLE f USING fts5(x, content=''); INSERT INTO f(rowid,x) VALUES (1,'x')",
      "INSERT INTO f(rowid,x) VALUES (2,'y')",
      'table "f_data" is behind a virtual table, which no statement about its rows keeps as it is',
    ],
  ])('%s.', async (_, before, change, message) => {
    const pair = pairOf(`${plain}${before}`, `${changed}${change}`)
    expect(await diffOf(pair)).toEqual({
      code: 2,
      stdout: '',
      stderr: `rowback: diff --sql: ${message}\nrowback: try: without --sql, diff tells every difference; with --table NAME it is about one table\n`,
    })
    // The other table alone has a script.
    const alone = await diffOf(pair, '--table', 'a')
    expect({ ...alone, stdout: alone.stdout.split('\n').slice(opening.length) }).toEqual({
      code: 0,
      stdout: ['-- table main a', 'UPDATE "a" SET "v"=2 WHERE "id" IS 1;', 'COMMIT;', ''],
      stderr: '',
    })
  })

  test('rows of several databases.', async () => {
    const dir = tempDir()
    mkdirSync(join(dir, 'data'))
    const files = ['a.db', 'b.db'].map((name) => databaseFrom(plain, join(dir, 'data', name)))
    const args = ['--repo', 'repo.git']
    await rowback(['backup', 'data', ...args], { cwd: dir })
    for (const file of files) databaseFrom(changed, file)
    await rowback(['backup', 'data', ...args], { cwd: dir })
    const refused = await rowback(['diff', 'latest~1', '--sql', ...args], { cwd: dir })
    expect(refused).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'rowback: diff --sql: rows of 2 databases differ, and a script is for one: a.db, b.db\nrowback: try: add --table NAME --file PATH\n',
    })
    const one = ['diff', 'latest~1', '--sql', '--table', 'a', '--file', 'b.db', ...args]
    expect(await rowback(one, { cwd: dir })).toMatchObject({ code: 0 })
  })
})

const step = fc.record({
  kind: fc.constantFrom('remove' as const, 'copy' as const, 'move' as const, 'mix' as const),
  at: fc.nat(),
  from: fc.nat(),
  column: fc.nat(),
})
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never
type Row = DatabaseSpec['tables'][number]['rows'][number]

/** Rows with values and rowids that have moved from one to another. */
function mutated(rows: readonly Row[], steps: readonly Step[]): Row[] {
  const result = rows.map((row) => ({ ...row, values: [...row.values] }))
  for (const { kind, at, from, column } of steps) {
    if (result.length === 0) break
    const [one, other] = [result[at % result.length] as Row, result[from % result.length] as Row]
    if (kind === 'remove') result.splice(at % result.length, 1)
    if (kind === 'copy') one.values = [...other.values]
    if (kind === 'move') [one.rowid, other.rowid] = [other.rowid, one.rowid]
    const index = column % Math.max(1, one.values.length)
    if (kind === 'mix') one.values[index] = other.values[index] as Row['values'][number]
  }
  return result
}

/** Tables whose rows all fit their definitions, without generated columns: only those have scripts. */
function tamed({ tables, ...rest }: DatabaseSpec): DatabaseSpec {
  const plain = tables.map((table) => ({
    ...table,
    loose: false,
    columns: table.columns.map((column) => ({ ...column, generated: '' as const })),
  }))
  return { ...rest, tables: plain }
}

const states = fc
  .record({
    spec: database,
    other: database,
    isTame: fc.integer({ min: 0, max: 3 }).map((die) => die > 0),
    steps: fc.array(step, { minLength: 1, maxLength: 12 }),
    gone: fc.constantFrom(0, 0, 0, 1),
    fresh: fc.constantFrom(0, 0, 0, 1),
  })
  .map(({ spec, other, isTame, steps, gone, fresh }): [DatabaseSpec, DatabaseSpec] => {
    const [before, more] = isTame ? [tamed(spec), tamed(other)] : [spec, other]
    const kept = before.tables.map((table) => ({ ...table, rows: mutated(table.rows, steps) }))
    const tables = [...kept.slice(0, Math.max(1, kept.length - gone)), ...more.tables.slice(0, fresh)]
    return [before, { ...before, tables }]
  })

// For a long search: PROPERTY_RUNS=1000 npx vitest run test/flow/diff-sql.test.ts --testTimeout=0
const runs = Number(process.env.PROPERTY_RUNS ?? 30)

test('for any two states of a database there is a script that makes the newer one, or none.', async () => {
  let scripts = 0
  await fc.assert(
    fc.asyncProperty(states, async ([older, newer]) => {
      const pair = { before: build(older), after: build(newer) }
      fc.pre(isSound(pair.before) && isSound(pair.after))
      const { code, stdout } = await diffOf(pair)
      if (code === 2) {
        expect(stdout).toBe('')
        return
      }
      expect(code).toBe(0)
      run(pair.before, stdout)
      expect(rowsOf(pair.before)).toEqual(rowsOf(pair.after))
      if (stdout.includes('BEGIN;')) scripts += 1
    }),
    { numRuns: runs, ...(runs === 30 ? { interruptAfterTimeLimit: 100_000 } : {}) },
  )
  expect(scripts).toBeGreaterThan(0)
})
