/** One table of a commit, in a database of its own, and what changed in one. */

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type DiffItem, diff } from '../../src/diff.ts'
import { restoreTable } from '../../src/restore-table.ts'
import { contents, type Ended } from '../support/cli.ts'
import { copiedPlace } from '../support/copied-place.ts'
import { databaseFrom, otherObjects, tableFacts } from '../support/database.ts'
import { dump, type Hostile, hostileCommit, hostileScene } from '../support/hostile.ts'
import { rowback, rowbackJson } from '../support/in-process.ts'

const madePlace = copiedPlace(async (dir) => {
  mkdirSync(join(dir, 'data'))
  databaseFrom(
    `CREATE TABLE person(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE COLLATE NOCASE, team REFERENCES team(id));
     CREATE TABLE team(id INTEGER PRIMARY KEY AUTOINCREMENT, name); CREATE INDEX "by team" ON PERSON(team, name);
     INSERT INTO team VALUES (4,'red'); INSERT INTO person VALUES (3,'Ada',4),(7,'Grace',99); DELETE FROM person WHERE id=7;
     CREATE VIEW names AS SELECT name FROM person; CREATE TABLE log(line);
     CREATE TRIGGER kept AFTER INSERT ON person BEGIN INSERT INTO log VALUES (new.name); END;
     CREATE VIRTUAL TABLE own USING fts5(words); INSERT INTO own VALUES ('hello world');
     CREATE VIRTUAL TABLE found USING fts5(name, content=person, content_rowid=id); INSERT INTO found(found) VALUES ('rebuild');
     CREATE VIRTUAL TABLE bare USING fts5(name, content=''); PRAGMA user_version=12; PRAGMA journal_mode=WAL; ANALYZE;`,
    join(dir, 'data', 'app.db'),
  )
  databaseFrom('CREATE TABLE log(line); INSERT INTO log VALUES (1)', join(dir, 'data', 'other.db'))
  writeFileSync(join(dir, 'data', 'a.txt'), 'a')
  await backup(dir)
  const change =
    "UPDATE person SET name='Ada L.'; INSERT INTO found(found) VALUES ('rebuild'); INSERT INTO team VALUES (5,'blue'); INSERT INTO log VALUES (2)"
  execFileSync('sqlite3', [join(dir, 'data', 'app.db'), change])
  writeFileSync(join(dir, 'data', 'a.txt'), 'b')
  await backup(dir)
})

async function backup(dir: string): Promise<void> {
  const done = await rowback(['backup', 'data', '--repo', 'repo.git'], { cwd: dir })
  expect(done).toMatchObject({ code: 0, stderr: '' })
}

async function place(): Promise<{ dir: string; rowback: (...args: string[]) => Promise<Ended> }> {
  const dir = await madePlace()
  return { dir, rowback: (...args) => rowback([...args, '--repo', 'repo.git'], { cwd: dir }) }
}

describe('a restore of one table', () => {
  test.each([
    ['person', 1],
    ['team', 1],
    ['own', 1],
  ])('has all of %s and nothing else.', async (table, rows) => {
    const { dir, rowback } = await place()
    await rowback('restore', 'latest~1', '--file', 'app.db', '--output', 'whole.db')
    const done = await rowback('restore', 'latest~1', '--table', table, '--output', 'alone.db')
    expect(done).toMatchObject({ code: 0, stderr: '' })
    expect(done.stdout).toMatch(
      new RegExp(`^restored [0-9a-f]{10} to ${dir}/alone.db: table ${table}, ${rows} row, in [\\d.]+ s\\n$`),
    )
    const alone = join(dir, 'alone.db')
    expect(tableFacts(alone, table)).toEqual(tableFacts(join(dir, 'whole.db'), table))
    expect(tableFacts(alone, table)).toContain('user_version 12')
    expect(otherObjects(alone, table)).toEqual([])
  })

  test('can be written to: the next row has the next id, and no trigger wants another table.', async () => {
    const { dir, rowback } = await place()
    await rowback('restore', 'latest', '--table', 'person', '--output', 'alone.db')
    const insert = "INSERT INTO person(name) VALUES ('Joan'); SELECT * FROM person; PRAGMA integrity_check"
    const said = execFileSync('sqlite3', [join(dir, 'alone.db'), insert], { encoding: 'utf8' })
    expect(said).toBe('3|Ada L.|4\n8|Joan|\nok\n')
  })

  test('is told in JSON, and by the library.', async () => {
    const { dir } = await place()
    const args = ['restore', 'latest', '--table', 'team', '--output', 'team.db', '--repo', 'repo.git']
    const document = await rowbackJson<Record<string, unknown>>(args, { cwd: dir })
    const target = join(dir, 'team.db')
    expect(document).toMatchObject({
      table: 'team',
      target,
      databases: 1,
      rows: 2,
      files: 0,
      withoutContent: [],
    })
    const options = { repository: join(dir, 'repo.git'), rev: 'latest', table: 'log', file: 'other.db' }
    const result = await restoreTable({ ...options, output: join(dir, 'log.db') })
    expect(result).toMatchObject({ table: 'log', rows: 1, commit: document.commit })
    expect(tableFacts(join(dir, 'log.db'), 'log')).toEqual(tableFacts(join(dir, 'data', 'other.db'), 'log'))
  })

  test('of which the settings left the rows out says so.', async () => {
    const { dir, rowback } = await place()
    expect(await rowback('backup', 'data', '--exclude-table', 'team')).toMatchObject({ code: 0 })
    for (const verb of [
      ['restore', 'latest', '--output', 'team.db'],
      ['diff', 'latest'],
    ]) {
      const refused = await rowback(...verb, '--table', 'team')
      expect(refused).toMatchObject({ code: 2, stdout: '' })
      expect(refused.stderr).toContain('the settings of the backup left out the rows of table "team"')
    }
    expect(existsSync(join(dir, 'team.db'))).toBe(false)
  })

  test.each([
    [
      ['--table', 'nobody'],
      'there is no table "nobody"; the tables are app.db bare_config, app.db bare_data, ',
    ],
    [
      ['--table', 'names', '--file', 'other.db'],
      'there is no table "names"; the tables are log; nothing was written',
    ],
    [
      ['--table', 'team', '--file', 'x.db'],
      'there is no database "x.db"; the databases are app.db, other.db; nothing was written',
    ],
    [['--table', 'log'], '2 databases have a table "log": app.db, other.db; nothing was written'],
    [
      ['--table', 'found'],
      'table "found" cannot be restored alone, as it is an index over another table; nothing',
    ],
    [
      ['--table', 'bare'],
      'table "bare" cannot be restored alone, as what it holds is in other tables, which are kept',
    ],
  ])('that cannot be is one clear error: %s.', async (args, message) => {
    const { dir, rowback } = await place()
    const before = contents(dir)
    const refused = await rowback('restore', 'latest', ...args, '--output', 'out.db')
    expect(refused).toMatchObject({ code: 2, stdout: '' })
    expect(refused.stderr).toContain(`rowback: restore latest: ${message}`)
    expect(contents(dir)).toEqual(before)
  })

  test('names at most twenty tables where there is none of that name.', async () => {
    const { dir, rowback } = await place()
    const tables = Array.from(
      { length: 30 },
      (_, index) => `CREATE TABLE t${String(index).padStart(2, '0')}(a);`,
    )
    databaseFrom(tables.join(''), join(dir, 'data', 'many.db'))
    await backup(dir)
    const refused = await rowback(
      'restore',
      'latest',
      '--table',
      'x',
      '--file',
      'many.db',
      '--output',
      'out.db',
    )
    expect(refused.stderr).toContain('; the tables are t00, t01, ')
    expect(refused.stderr).toContain(', t18, t19, and 10 others; nothing was written')
  })

  test('leaves a file that exists as it is, and wants to know where to go.', async () => {
    const { dir, rowback } = await place()
    writeFileSync(join(dir, 'out.db'), 'mine')
    expect(await rowback('restore', 'latest', '--table', 'team', '--output', 'out.db')).toMatchObject({
      code: 15,
    })
    for (const args of [[], ['--to', 'x'], ['--in-place'], ['--output', 'x', '--force']])
      expect(await rowback('restore', 'latest', '--table', 'team', ...args)).toMatchObject({ code: 2 })
    expect(readdirSync(dir).sort()).toEqual(['data', 'out.db', 'repo.git'])
  })
})

describe('a commit of somebody else gives no table alone', () => {
  const note = `${dump}/30-rows/note/+first/+first.sql`
  const attacks: [string, Hostile['changes'] & object, RegExp][] = [
    [
      'whose script runs something else, about whatever table',
      { [`${dump}/40-schema.sql`]: (text) => `${text}DELETE FROM plain;\n` },
      /holds what a dump may not hold: "DELETE FROM plain"/,
    ],
    [
      'whose rows are those of another table',
      { [note]: (text) => text.replace('INSERT INTO "note"', 'INSERT INTO "plain"') },
      /it holds rows of another table, "plain"/,
    ],
    [
      'whose row computes',
      { [note]: (text) => text.replace("'first'", "(SELECT 'x')") },
      /note\/\+first\/\+first\.sql line 2 is no row of format 1/,
    ],
    [
      'whose rows are more than the manifest says',
      { [note]: (text) => text.replace(/;\n$/, ",(3,'three','third')\n;\n") },
      /table "note" has 3 rows where the manifest says 2; nothing was written/,
    ],
    [
      'whose rows are gone',
      { [note]: () => undefined },
      /table "note" has 0 rows where the manifest says 2; nothing was written/,
    ],
    [
      'that is not defined',
      { [`${dump}/20-tables.sql`]: (text) => text.replace(/CREATE TABLE note/, 'CREATE TABLE nota') },
      /20-tables\.sql does not define table "note", which the manifest names/,
    ],
    [
      'whose index is made of what SQLite refuses',
      { [`${dump}/40-schema.sql`]: (text) => text.replace('note(title)', 'note(titel)') },
      /replay 40-schema\.sql: no such column: titel/,
    ],
    [
      'that ends early',
      { [`${dump}/90-close.sql`]: () => undefined },
      /it ends before its last file, 90-close\.sql/,
    ],
  ]

  test.each(attacks)('%s.', async (_, changes, message) => {
    const scene = await hostileScene()
    const commit = hostileCommit(scene, { changes })
    const before = contents(scene.dir)
    const output = join(scene.dir, 'out.db')
    const refused = restoreTable({ repository: scene.repository, rev: commit, table: 'note', output })
    await expect(refused).rejects.toMatchObject({ code: 'dump', message: expect.stringMatching(message) })
    expect(contents(scene.dir)).toEqual(before)
  })

  test('but takes nothing from what is wrong with the rows of others.', async () => {
    const scene = await hostileScene()
    const plain = `${dump}/30-rows/plain/+first/+first.sql`
    const commit = hostileCommit(scene, { changes: { [plain]: () => 'no rows' } })
    const output = join(scene.dir, 'out.db')
    const done = await restoreTable({ repository: scene.repository, rev: commit, table: 'note', output })
    expect(done).toMatchObject({ rows: 2 })
    expect(existsSync(output)).toBe(true)
  })
})

describe('a diff of one table', () => {
  test('has its rows alone.', async () => {
    const { dir, rowback } = await place()
    const person = await rowback('diff', 'latest~1', '--table', 'person')
    expect(person).toMatchObject({
      code: 0,
      stderr: '',
      stdout: "table app.db person\n~ 3: name 'Ada' → 'Ada L.'\n",
    })
    const stat = await rowback('diff', 'latest~1', 'latest', '--table', 'log', '--file', 'app.db', '--stat')
    expect(stat).toMatchObject({ code: 0, stdout: 'app.db log: 1 row added\n' })
    const items: DiffItem[] = []
    const options = { repository: join(dir, 'repo.git'), from: 'latest~1', table: 'log', file: 'other.db' }
    for await (const item of diff(options)) items.push(item)
    expect(items).toEqual([])
  })

  test('knows one that only one side has.', async () => {
    const { dir, rowback } = await place()
    execFileSync('sqlite3', [
      join(dir, 'data', 'app.db'),
      'DROP TRIGGER kept; DROP TABLE log; CREATE TABLE fresh(a)',
    ])
    execFileSync('sqlite3', [join(dir, 'data', 'app.db'), 'INSERT INTO fresh VALUES (5)'])
    await backup(dir)
    const gone = await rowback('diff', 'latest~1', '--table', 'log', '--file', 'app.db')
    expect(gone).toMatchObject({ code: 0, stdout: 'table app.db log (removed)\n- 1, 2\n' })
    const fresh = await rowback('diff', 'latest~1', '--table', 'fresh')
    expect(fresh).toMatchObject({ code: 0, stdout: 'table app.db fresh (added)\n+ 1, 5\n' })
  })

  test('that is not there, or in several databases, is one clear error.', async () => {
    const { rowback } = await place()
    const none = await rowback('diff', 'latest~1', '--table', 'nobody', '--file', 'other.db')
    expect(none).toMatchObject({ code: 2, stdout: '' })
    expect(none.stderr).toBe(
      'rowback: diff latest~1 latest: there is no table "nobody"; the tables are log\n',
    )
    const several = await rowback('diff', 'latest~1', '--table', 'log')
    expect(several).toMatchObject({ code: 2, stdout: '' })
    expect(several.stderr).toContain(
      '2 databases have a table "log": app.db, other.db\nrowback: try: add --file PATH',
    )
    expect(await rowback('diff', 'latest~1', '--file', 'app.db')).toMatchObject({ code: 2, stdout: '' })
  })
})
