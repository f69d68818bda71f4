/** What `rowback diff` says of two commits. */

import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Ended } from '../support/cli.ts'
import { databaseFrom } from '../support/database.ts'
import { dump, hostileCommit, hostileScene } from '../support/hostile.ts'
import { rowback, rowbackJson } from '../support/in-process.ts'
import { tempDir } from '../support/temp.ts'

type Diff = (...flags: string[]) => Promise<string>

/** Backs a database up before and after the statements, and returns what diff prints of the two. */
async function changed(before: string, after: string): Promise<Diff> {
  const dir = tempDir()
  const source = databaseFrom(before, join(dir, 'app.db'))
  const backup = ['backup', source, '--repo', 'repo.git']
  await rowbackJson(backup, { cwd: dir })
  execFileSync('sqlite3', ['-bail', source], { input: after })
  await rowbackJson(backup, { cwd: dir })
  return async (...flags) => {
    const done = await rowback(['diff', 'latest~1', ...flags, '--repo', 'repo.git'], { cwd: dir })
    expect(done).toMatchObject({ code: 0, stderr: '' })
    return done.stdout
  }
}

/** The lines about tables and rows. */
function rowLines(stdout: string): string[] {
  const lines = stdout.split('\n')
  return lines.slice(lines.findIndex((line) => line.startsWith('table '))).filter((line) => line !== '')
}

describe('columns', () => {
  test('are paired by name, and one that only one side has is told once.', async () => {
    const diff = await changed(
      `CREATE TABLE dropped(id INTEGER PRIMARY KEY, a, b, c);
       INSERT INTO dropped VALUES (1,'a1','b1','c1'),(2,'a2','b2','c2');
       CREATE TABLE keyed(k1, k2, v, PRIMARY KEY(k1,k2)) WITHOUT ROWID;
       INSERT INTO keyed VALUES (1,1,'x'),(1,2,'y'),(2,1,'z');
       CREATE TABLE moved(id INTEGER PRIMARY KEY, x, y); INSERT INTO moved VALUES (1,'one','two'),(2,'same','same');
       CREATE TABLE renamed(id INTEGER PRIMARY KEY, price); INSERT INTO renamed VALUES (1,2.5),(2,3.5);`,
      `ALTER TABLE dropped DROP COLUMN b; UPDATE dropped SET c='new' WHERE id=2;
       ALTER TABLE keyed RENAME COLUMN k1 TO kk; DELETE FROM keyed WHERE k2=2;
       CREATE TABLE other(id INTEGER PRIMARY KEY, y, x); INSERT INTO other SELECT id,y,x FROM moved;
       DROP TABLE moved; ALTER TABLE other RENAME TO moved; UPDATE moved SET x='ONE' WHERE id=1;
       ALTER TABLE renamed RENAME COLUMN price TO cost; INSERT INTO renamed VALUES (3,4.5);`,
    )
    expect(rowLines(await diff())).toEqual([
      'table main dropped (columns: b dropped)',
      "~ 2: c 'c2' → 'new'",
      'table main keyed (columns: kk added; k1 dropped)',
      "- 1, 2, 'y'",
      'table main moved (columns in another order)',
      "~ 1: x 'one' → 'ONE'",
      'table main renamed (columns: cost added; price dropped)',
      '+ 3, 4.5',
    ])
    const stat = (await diff('--stat')).split('\n')
    expect(stat.slice(1, -1)).toEqual([
      'main dropped: 2 rows changed (columns: b dropped)',
      'main keyed: 2 rows changed, 1 removed (columns: kk added; k1 dropped)',
      'main moved: 2 rows changed (columns in another order)',
      'main renamed: 1 row added, 2 changed (columns: cost added; price dropped)',
    ])
    const { items } = JSON.parse(await diff('--json', '--table', 'dropped'))
    const columns = { before: ['id', 'a', 'b', 'c'], after: ['id', 'a', 'c'] }
    const row = {
      type: 'row',
      database: 'main',
      table: 'dropped',
      key: 'rowid',
      kind: 'changed',
      columns: columns.after,
      columnsBefore: columns.before,
    }
    expect(items).toEqual([
      { type: 'table', database: 'main', table: 'dropped', columns },
      { ...row, before: ['1', "'a1'", "'b1'", "'c1'"], after: ['1', "'a1'", "'c1'"] },
      { ...row, before: ['2', "'a2'", "'b2'", "'c2'"], after: ['2', "'a2'", "'new'"] },
    ])
  })

  test('that are the same are not told.', async () => {
    const diff = await changed(
      'CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1,2)',
      'UPDATE t SET a=3',
    )
    const item = { type: 'row', database: 'main', table: 't', key: 'rowid', kind: 'changed' }
    expect(JSON.parse(await diff('--json'))).toEqual({
      items: [
        { type: 'table', database: 'main', table: 't' },
        { ...item, columns: ['id', 'a'], before: ['1', '2'], after: ['1', '3'] },
      ],
    })
  })
})

test('rows are told apart by what both keys of a table name where they differ.', async () => {
  const diff = await changed(
    `CREATE TABLE first(a, b, c, PRIMARY KEY(a)) WITHOUT ROWID; INSERT INTO first VALUES (1,2,'x'),(2,1,'y'),(3,3,'z');
     CREATE TABLE grown(id PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO grown VALUES (1,'one'),(2,'two'),(3,'three');
     CREATE TABLE numbered(a INTEGER PRIMARY KEY, b, c); INSERT INTO numbered VALUES (1,2,'x'),(2,1,'y'),(3,3,'z');
     CREATE TABLE plain(id INT PRIMARY KEY, v); INSERT INTO plain VALUES (2,'two'),(1,'one');`,
    `CREATE TABLE other(a, b, c, PRIMARY KEY(b)) WITHOUT ROWID; INSERT INTO other SELECT * FROM first;
     DROP TABLE first; ALTER TABLE other RENAME TO first; UPDATE first SET c='new' WHERE a=3;
     CREATE TABLE other(org, id, v, PRIMARY KEY(org,id)) WITHOUT ROWID; INSERT INTO other SELECT 7-id,id,v FROM grown;
     DROP TABLE grown; ALTER TABLE other RENAME TO grown; UPDATE grown SET v='TWO' WHERE id=2; DELETE FROM grown WHERE id=3;
     CREATE TABLE other(a, b INTEGER PRIMARY KEY, c); INSERT INTO other SELECT * FROM numbered;
     DROP TABLE numbered; ALTER TABLE other RENAME TO numbered; UPDATE numbered SET c='new' WHERE a=1;
     CREATE TABLE other(id INT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO other SELECT * FROM plain;
     DROP TABLE plain; ALTER TABLE other RENAME TO plain; UPDATE plain SET v='ONE' WHERE id=1;`,
  )
  expect(rowLines(await diff())).toEqual([
    'table main first (columns in another order)',
    "~ 3: c 'z' → 'new'",
    'table main grown (columns: org added)',
    "~ 5, 2: v 'two' → 'TWO'",
    "- 3, 'three'",
    'table main numbered (columns in another order)',
    "~ 2: c 'x' → 'new'",
    'table main plain (columns: rowid dropped)',
    "~ 1: v 'one' → 'ONE'",
  ])
  expect((await diff('--stat')).split('\n').slice(1, -1)).toEqual([
    'main first: 3 rows changed (columns in another order)',
    'main grown: 2 rows changed, 1 removed (columns: org added)',
    'main numbered: 3 rows changed (columns in another order)',
    'main plain: 2 rows changed (columns: rowid dropped)',
  ])
  const { items } = JSON.parse(await diff('--json', '--table', 'grown'))
  const [row, gone] = [items[1], items.at(-1)]
  expect(row).toMatchObject({ key: ['org', 'id'], before: ['2', "'two'"], after: ['5', '2', "'TWO'"] })
  expect(gone).toMatchObject({ kind: 'removed', key: ['id'], columns: ['id', 'v'], before: ['3', "'three'"] })
})

test('long values are cut around the first difference.', async () => {
  const text = (middle: string, length: number): string =>
    `'${'a'.repeat(100)}'||'${'b'.repeat(100)}${middle}${'c'.repeat(length)}'`
  const diff = await changed(
    `CREATE TABLE t(id INTEGER PRIMARY KEY, long, grown);
     INSERT INTO t VALUES (1,${text('X', 300)},'short')`,
    `UPDATE t SET long=${text('Y', 300)}, grown=${text('Z', 0)}`,
  )
  const head = `'${'a'.repeat(39)}`
  const around = (middle: string): string => `${head}…${'b'.repeat(20)}${middle}${'c'.repeat(59)}…`
  const whole = `'${'a'.repeat(100)}${'b'.repeat(19)}…`
  expect(rowLines(await diff())).toEqual([
    'table main t',
    `~ 1: long ${around('X')} → ${around('Y')}, grown 'short' → ${whole}`,
  ])
})

test('rows without a key that only changed places are told in one line.', async () => {
  const diff = await changed(
    `CREATE TABLE h(rowid, _rowid_, oid); INSERT INTO h VALUES (1,2,3),(4,5,6)`,
    'DELETE FROM h; INSERT INTO h VALUES (4,5,6),(1,2,3)',
  )
  expect(await diff()).toBe('table main h: rows in another order\n')
  expect(await diff('--stat')).toBe('main h: rows in another order\n')
  expect(JSON.parse(await diff('--json'))).toEqual({
    items: [{ type: 'table', database: 'main', table: 'h', reordered: true }],
  })
})

test('--json is one document also where an error ends it.', async () => {
  const scene = await hostileScene()
  const rows = (table: string): string => `${dump}/30-rows/${table}/+first/+first.sql`
  hostileCommit(scene, {
    changes: {
      [rows('note')]: (content) => content.replace("'one'", "'ONE'"),
      [rows('plain')]: () => 'no rows',
    },
  })
  const { code, stdout, stderr } = await rowback(['diff', 'latest~1', '--json', '--repo', scene.repository])
  expect(JSON.parse(stdout)).toEqual({
    items: [
      { type: 'table', database: 'app.db', table: 'note' },
      {
        type: 'row',
        database: 'app.db',
        table: 'note',
        key: 'rowid',
        kind: 'changed',
        columns: ['id', 'title', 'body'],
        before: ['1', "'one'", "'first'"],
        after: ['1', "'ONE'", "'first'"],
      },
    ],
    error: { code: 'dump', message: expect.stringContaining('line 1 is no row of format 1') },
  })
  expect(stderr).toContain('line 1 is no row of format 1\n')
  expect(code).toBe(14)
  const early = await rowback(['diff', 'nothing', '--json', '--repo', scene.repository])
  expect(JSON.parse(early.stdout)).toMatchObject({ error: { code: 'usage', hint: 'rowback log' } })
})

describe('assets', () => {
  test('are told by all that their manifest says of them.', async () => {
    const dir = tempDir()
    const data = join(dir, 'data')
    const inData = (...names: string[]): string[] => names.map((name) => join(data, name))
    for (const folder of inData('', 'empty', 'filled', 'private')) mkdirSync(folder)
    const files = inData('both', 'content', 'gone', 'mode', 'time', 'turned', 'private/x')
    for (const file of files) writeFileSync(file, 'x')
    for (const file of files) utimesSync(file, 1, 1)
    chmodSync(join(data, 'private'), 0o700)
    for (const link of inData('link', 'unlinked')) symlinkSync('mode', link)
    databaseFrom('CREATE TABLE t(a)', join(data, 'app.db'))
    const run = (...args: string[]): Promise<Ended> => rowback([...args, '--repo', 'repo.git'], { cwd: dir })
    expect(await run('backup', 'data')).toMatchObject({ code: 0, stderr: '' })

    for (const file of inData('both', 'content', 'new', 'filled/x')) writeFileSync(file, 'new')
    for (const file of inData('both', 'mode')) chmodSync(file, 0o755)
    chmodSync(join(data, 'private'), 0o755)
    chmodSync(join(data, 'filled'), 0o750)
    chmodSync(join(data, 'empty'), 0o711)
    execFileSync('touch', ['--date', '1969-12-31 23:59:58.5 UTC', join(data, 'time')])
    for (const file of inData('gone', 'unlinked', 'link', 'turned')) unlinkSync(file)
    symlinkSync('a b\n', join(data, 'link'))
    symlinkSync('content', join(data, 'turned'))
    mkdirSync(join(data, 'bare'))
    expect(await run('backup', 'data')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('data: 2 assets added, 2 changed, 2 removed\n'),
    })

    const { stdout } = await run('diff', 'latest~1')
    expect(stdout.split('\n')).toEqual([
      '+ asset bare (directory 0755)',
      '~ asset both: content, mode 0644 → 0755',
      '~ asset content',
      '~ asset empty: mode 0755 → 0711',
      '~ asset filled: mode 0755 → 0750',
      '+ asset filled/x',
      '- asset gone',
      '~ asset link: target mode → "a b\\n"',
      '~ asset mode: mode 0644 → 0755',
      '+ asset new',
      '- asset private (directory 0700)',
      '~ asset time: time 1970-01-01T00:00:01Z → 1969-12-31T23:59:58.5Z',
      '- asset turned',
      '+ asset turned (symlink to content)',
      '- asset unlinked (symlink to mode)',
      '',
    ])
    expect((await run('diff', 'latest~1', '--stat')).stdout).toBe(
      '2 assets added, 2 changed, 2 removed\nasset manifest: 2 lines added, 5 changed, 2 removed\n',
    )
    const { items } = JSON.parse((await run('diff', 'latest~1', '--json')).stdout)
    const named = (path: string): unknown[] => items.filter((item: { path: string }) => item.path === path)
    const mode = { name: 'mode', before: '0644', after: '0755' }
    expect(named('both')).toEqual([{ type: 'asset', path: 'both', kind: 'changed', facts: [mode] }])
    expect(named('content')).toEqual([{ type: 'asset', path: 'content', kind: 'changed' }])
    expect(named('time')).toEqual([
      {
        type: 'asset',
        path: 'time',
        kind: 'changed',
        facts: [{ name: 'mtime', before: '1.000000000', after: '-1.500000000' }],
        manifestOnly: true,
      },
    ])
    expect(named('turned')).toEqual([
      { type: 'asset', path: 'turned', kind: 'removed' },
      {
        type: 'asset',
        path: 'turned',
        kind: 'added',
        what: 'symlink',
        facts: [{ name: 'target', after: 'content' }],
        manifestOnly: true,
      },
    ])
  })

  test('say where their content is kept, and what could not be read.', async () => {
    const scene = await hostileScene()
    const manifest = 'assets-manifest/+first/+first.jsonl'
    hostileCommit(scene, {
      changes: {
        [manifest]: (content) =>
          content
            .replace(/^(\{"path":"files\/a.txt".*)\}$/m, '$1,"unstable":true}')
            .replace(/^\{"path":"settings.json".*\}$/m, '{"path":"settings.json","unreadable":true}'),
        'assets/settings.json': () => undefined,
      },
    })
    const diff = ['diff', 'latest~1', '--repo', scene.repository]
    expect((await rowback(diff)).stdout.split('\n')).toEqual([
      '~ asset files/a.txt: unstable no → yes',
      '- asset settings.json',
      '+ asset settings.json (unreadable)',
      '',
    ])
  })
})
