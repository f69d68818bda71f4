/** A history of backups: every commit comes back bit by bit, with Rowback and without it. */

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contents, program, projectRoot, type RunOptions } from '../support/cli.ts'
import { databaseFrom, facts } from '../support/database.ts'
import { canTrace } from '../support/disk-trace.ts'
import { git, hostileHome } from '../support/git.ts'
import { dump, hostileCommit, hostileScene } from '../support/hostile.ts'
import { rowback, rowbackJson } from '../support/in-process.ts'
import { tempDir } from '../support/temp.ts'

const binary = join(projectRoot, 'bin', 'rowback.js')

function sql(file: string, statements: string): void {
  execFileSync('sqlite3', ['-bail', file], { input: statements })
}

/** Sets the time of a file to the nanosecond. */
function touch(file: string, time: string): void {
  execFileSync('touch', ['--no-dereference', '--date', time, file], {
    env: { TZ: 'UTC', PATH: process.env.PATH },
  })
}

/** What restore promises of a data directory: databases by their facts, all else by name, mode, time and bytes. */
function directoryFacts(dir: string): string[] {
  const lines: string[] = []
  const visit = (path: string): void => {
    for (const name of readdirSync(join(dir, path)).sort()) {
      const inner = join(path, name)
      const file = join(dir, inner)
      const stats = lstatSync(file, { bigint: true })
      const mode = (Number(stats.mode) & 0o777).toString(8)
      if (stats.isSymbolicLink()) lines.push(`${inner} -> ${readlinkSync(file)}`)
      else if (stats.isDirectory()) {
        lines.push(`${inner}/ ${mode}`)
        visit(inner)
      } else if (readFileSync(file).subarray(0, 15).toString('latin1') === 'SQLite format 3')
        lines.push(...facts(file).map((fact) => `${inner}: ${fact}`))
      else lines.push(`${inner} ${mode} ${stats.mtimeNs / 1000n} µs ${sha256(file)}`)
    }
  }
  visit('')
  return lines
}

function sha256(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}

/** Restores one database of a commit with git, tar and sqlite3 alone, as the README of the repository says. */
async function stockRestore(
  repository: string,
  commit: string,
  name: string,
  options: RunOptions,
): Promise<string> {
  const file = join(tempDir(), 'stock.db')
  const line = `git -C "$1" archive "$2:databases/$3" | tar -xO | sqlite3 -bail "$4"`
  const done = await program('sh', ['-c', line, 'sh', repository, commit, name, file], options)
  // Replay ends in PRAGMA journal_mode, which says what the mode is.
  expect(done).toMatchObject({ code: 0, stderr: '' })
  return file
}

interface Step {
  /** What the commit is to be called; undefined where there is to be none. */
  subject: string | undefined
  change(): void
}

interface Commit {
  id: string
  subject: string
  /** A copy of the source as it was. */
  copy: string
}

/** Makes the changes one after another, each with a backup, and keeps a copy of the source for each commit. */
async function history(
  source: string,
  repository: string,
  steps: Step[],
  options: RunOptions,
): Promise<Commit[]> {
  const commits: Commit[] = []
  for (const { subject, change } of steps) {
    change()
    const copy = join(tempDir(), 'copy')
    execFileSync('cp', ['--archive', '--no-target-directory', source, copy])
    const made = await rowbackJson<{ commit?: string; subject: string }>(
      ['backup', source, '--repo', repository],
      options,
    )
    expect(made.subject).toBe(subject ?? 'nothing changed')
    expect(made.commit === undefined).toBe(subject === undefined)
    if (made.commit !== undefined) commits.push({ id: made.commit, subject: made.subject, copy })
  }
  return commits
}

/** Expects that the repository is sound, holds just these commits, and that each of them is proved. */
async function expectSound(repository: string, commits: Commit[], options: RunOptions): Promise<void> {
  expect(git(repository, ['fsck', '--strict', '--full', '--no-dangling'])).toBe('')
  expect(git(repository, ['log', '--reverse', '--format=%H %an <%ae> %G? %s', 'main']).split('\n')).toEqual(
    commits.map(({ id, subject }) => `${id} Rowback <rowback@localhost> N ${subject}`),
  )
  expect(await rowbackJson(['verify', '--all', '--repo', repository], options)).toMatchObject({
    commits: commits.length,
    proved: commits.length,
    failures: [],
  })
}

/** A data directory with two databases and every kind of asset. */
function dataDirectory(): string {
  const data = join(tempDir(), 'data')
  for (const dir of ['files/deep/er', 'empty', 'private', 'sub'])
    mkdirSync(join(data, dir), { recursive: true })
  databaseFrom(
    `PRAGMA journal_mode=WAL; PRAGMA user_version=3;
     CREATE TABLE bookmark(id INTEGER PRIMARY KEY AUTOINCREMENT, url TEXT, title TEXT);
     CREATE TABLE old(a, b); INSERT INTO old VALUES (1.5, x'00ff'), (NULL, 'line' || char(10) || 'two'), (-0.0, 9e999);
     CREATE VIRTUAL TABLE search USING fts5(title, content='bookmark', content_rowid='id');
     CREATE TRIGGER added AFTER INSERT ON bookmark BEGIN INSERT INTO search(rowid, title) VALUES (new.id, new.title); END;
     INSERT INTO bookmark(url, title) VALUES ('https://a', 'hello words'), ('https://b', 'zwei'), ('https://c', 'x');`,
    join(data, 'app.db'),
  )
  databaseFrom('CREATE TABLE log(t, v); INSERT INTO log VALUES (1,2)', join(data, 'sub', 'other.sqlite'))
  const files: Record<string, string | Buffer> = {
    'settings.json': '{\r\n "a": 1\r\n}\r\n',
    'files/ünï cödé "quoted".txt': 'text\n',
    'files/deep/er/$Id$.txt': '$Format:%H$ $Id$\r\n',
    'files/.gitattributes': '* text eol=crlf export-ignore\n',
    'files/binary': Buffer.from(Array.from({ length: 4096 }, (_, i) => i % 256)),
    'files/large': Buffer.alloc(9_000_000, 'large '),
    'files/nothing': '',
    'private/key': 'secret',
    'run.sh': '#!/bin/sh\n',
  }
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(data, name), content)
    touch(join(data, name), '2021-02-03 04:05:06.123456789')
  }
  symlinkSync('../settings.json', join(data, 'files', 'link'))
  symlinkSync('/nowhere/at all', join(data, 'dangling'))
  chmodSync(join(data, 'run.sh'), 0o755)
  chmodSync(join(data, 'private', 'key'), 0o400)
  chmodSync(join(data, 'private'), 0o700)
  chmodSync(join(data, 'empty'), 0o750)
  return data
}

describe('the history of a data directory', () => {
  test('comes back commit by commit, whatever git settings the user has.', async () => {
    const data = dataDirectory()
    const app = join(data, 'app.db')
    const repository = join(tempDir(), 'repo.git')
    const { home, marks } = hostileHome()
    const options = { env: { HOME: home, XDG_CONFIG_HOME: home } }
    const commits = await history(
      data,
      repository,
      [
        { subject: 'data: first backup, 7 rows, 9 assets', change: () => {} },
        { subject: undefined, change: () => {} },
        {
          subject: 'data: 2 rows added, 1 changed, 1 removed',
          change: () =>
            sql(
              app,
              `INSERT INTO bookmark(url, title) VALUES ('d', 'dogs run'), ('e', NULL); UPDATE bookmark SET url='B' WHERE id=2;
               DELETE FROM bookmark WHERE id=1; INSERT INTO search(search) VALUES ('rebuild');`,
            ),
        },
        {
          subject: 'data: 1 asset added, 2 changed, 1 removed',
          change: () => {
            writeFileSync(join(data, 'files', 'new'), 'new')
            writeFileSync(join(data, 'settings.json'), '{}')
            writeFileSync(join(data, 'files', 'large'), Buffer.alloc(9_000_001, 'larger '))
            unlinkSync(join(data, 'files', 'nothing'))
          },
        },
        {
          subject: 'data: 1 row added, 1 removed; 1 asset removed; schema or settings changed',
          change: () => {
            sql(
              app,
              "CREATE INDEX url ON bookmark(url); DELETE FROM old WHERE a=1.5; INSERT INTO old VALUES ('new', 1)",
            )
            rmSync(join(data, 'files', 'deep'), { recursive: true })
          },
        },
        {
          subject: 'data: manifest changed',
          change: () => touch(join(data, 'run.sh'), '2022-01-01 00:00:00.5'),
        },
        { subject: 'data: manifest changed', change: () => chmodSync(join(data, 'run.sh'), 0o644) },
        {
          subject: 'data: manifest changed',
          change: () => {
            unlinkSync(join(data, 'dangling'))
            symlinkSync('settings.json', join(data, 'dangling'))
            chmodSync(join(data, 'empty'), 0o755)
          },
        },
        {
          subject: 'data: 3 rows added; schema or settings changed',
          change: () =>
            databaseFrom("CREATE TABLE t(a); INSERT INTO t VALUES (1),('x'),(NULL)", join(data, 'third.db')),
        },
        {
          subject: 'data: 4 rows changed; schema or settings changed',
          change: () => sql(app, 'ALTER TABLE bookmark ADD COLUMN rating REAL DEFAULT 0.1'),
        },
        { subject: 'data: schema or settings changed', change: () => sql(app, 'CREATE TABLE unused(x)') },
        { subject: 'data: schema or settings changed', change: () => sql(app, 'PRAGMA user_version=4') },
        { subject: 'data: schema or settings changed', change: () => sql(app, 'PRAGMA journal_mode=DELETE') },
        {
          subject: 'data: 3 rows removed; schema or settings changed',
          change: () => sql(app, 'DROP TABLE old; PRAGMA journal_mode=WAL'),
        },
        {
          subject: 'data: 3 rows added, 3 removed; schema or settings changed',
          change: () => renameSync(join(data, 'third.db'), join(data, 'sub', 'moved.db')),
        },
        { subject: undefined, change: () => {} },
        {
          subject: 'data: 3 rows removed; 1 asset added; schema or settings changed',
          change: () => writeFileSync(join(data, 'sub', 'moved.db'), 'no database any more'),
        },
      ],
      options,
    )

    await expectSound(repository, commits, options)
    for (const { id, copy } of commits) {
      const out = join(tempDir(), 'out')
      await rowbackJson(['restore', id.slice(0, 12), '--to', out, '--repo', repository], options)
      expect(directoryFacts(out)).toEqual(directoryFacts(copy))
      const file = await stockRestore(repository, id, 'app.db', options)
      expect(facts(file)).toEqual(facts(join(copy, 'app.db')))
    }
    // The other one stayed as it was.
    const { id, copy } = commits.at(-1) as Commit
    const other = await stockRestore(repository, id, 'sub%2Fother.sqlite', options)
    expect(facts(other)).toEqual(facts(join(copy, 'sub', 'other.sqlite')))
    expect(readdirSync(marks)).toEqual([])
  }, 240_000)

  test('gives single files back as they were.', async () => {
    const data = dataDirectory()
    const repository = join(tempDir(), 'repo.git')
    const options = { env: { HOME: hostileHome().home } }
    const [first] = await history(
      data,
      repository,
      [{ subject: 'data: first backup, 7 rows, 9 assets', change: () => {} }],
      options,
    )
    const assets = directoryFacts(data).filter((line) => / µs /.test(line))
    expect(assets).toHaveLength(9)
    for (const line of assets) {
      const [path = ''] = line.split(/ \d+ \d+ µs /)
      const dir = tempDir()
      await rowbackJson(
        ['restore', 'latest', '--file', path, '--output', join(dir, 'out'), '--repo', repository],
        options,
      )
      expect(directoryFacts(dir)).toEqual([line.replace(path, 'out')])
    }
    for (const file of ['sub/other.sqlite', 'sub%2Fother.sqlite']) {
      const output = join(tempDir(), 'a', 'b', 'out.db')
      await rowbackJson(
        ['restore', 'latest', '--file', file, '--output', output, '--repo', repository],
        options,
      )
      expect(facts(output)).toEqual(facts(join(data, 'sub', 'other.sqlite')))
    }
    const link = await rowback([
      'restore',
      'latest',
      '--file',
      'files/link',
      '--output',
      'out',
      '--repo',
      repository,
    ])
    expect(link.code).toBe(2)
    expect(first?.subject).toBe('data: first backup, 7 rows, 9 assets')
  })
})

describe('the history of one file', () => {
  test('comes back commit by commit, under its own name.', async () => {
    const dir = tempDir()
    const source = databaseFrom(
      `CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL, price REAL);
       CREATE TABLE "odd name"(x TEXT PRIMARY KEY, y) WITHOUT ROWID;
       WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<5000)
       INSERT INTO item SELECT i, 'item '||i, i/7.0 FROM n;
       INSERT INTO "odd name" VALUES ('b', 1), ('a', x'ff');`,
      join(dir, 'my app.v2.sqlite3'),
    )
    const repository = join(dir, 'repo.git')
    const { home, marks } = hostileHome()
    const options = { cwd: dir, env: { HOME: home } }
    const step = (subject: string | undefined, statements: string): Step => ({
      subject,
      change: () => sql(source, statements),
    })
    const commits = await history(
      source,
      repository,
      [
        step('my app.v2: first backup, 5002 rows, 0 assets', ''),
        step('my app.v2: 100 rows changed', 'UPDATE item SET price=price+1 WHERE id%50=0'),
        step(
          'my app.v2: 1 row changed, 1 removed',
          'DELETE FROM item WHERE id=77; UPDATE "odd name" SET y=NULL WHERE x=\'a\'',
        ),
        step(undefined, 'VACUUM'),
        step('my app.v2: 1 row added, 1 removed', 'UPDATE item SET id=-5 WHERE id=78'),
        step(
          'my app.v2: 4999 rows changed; schema or settings changed',
          'ALTER TABLE item RENAME COLUMN price TO cost',
        ),
        step(
          'my app.v2: 4999 rows added, 4999 removed; schema or settings changed',
          'ALTER TABLE item RENAME TO thing',
        ),
        step(
          'my app.v2: schema or settings changed',
          'CREATE VIEW v AS SELECT 1; CREATE TRIGGER t AFTER DELETE ON thing BEGIN SELECT 1; END',
        ),
        step('my app.v2: schema or settings changed', 'ANALYZE'),
        step('my app.v2: 2 rows removed', 'DELETE FROM "odd name"'),
        step(
          'my app.v2: 4999 rows removed; schema or settings changed',
          'DROP VIEW v; DROP TABLE thing; DROP TABLE "odd name"',
        ),
        step(
          'my app.v2: 1 row added; schema or settings changed',
          'CREATE TABLE item(id); INSERT INTO item VALUES (1)',
        ),
      ],
      options,
    )
    await expectSound(repository, commits, options)
    for (const [index, { id, copy }] of commits.entries()) {
      const out = join(tempDir(), 'out')
      const rev = `latest~${commits.length - 1 - index}`
      await rowbackJson(['restore', rev, '--to', out, '--repo', repository], options)
      expect(readdirSync(out)).toEqual(['my app.v2.sqlite3'])
      expect(facts(join(out, 'my app.v2.sqlite3'))).toEqual(facts(copy))
      expect(facts(await stockRestore(repository, id, 'main', options))).toEqual(facts(copy))
    }
    const { commits: listed } = await rowbackJson<{
      commits: { commit: string; subject: string; rows: number }[]
    }>(['log', '--repo', repository], options)
    expect(listed.map(({ commit }) => commit)).toEqual(commits.map(({ id }) => id).reverse())
    expect(listed.at(-1)).toMatchObject({ rows: 5002 })
    expect(readdirSync(marks)).toEqual([])
  }, 240_000)
})

test('a backup leaves nothing in the repository but its commit and its own few files.', async () => {
  const dir = tempDir()
  const source = databaseFrom('CREATE TABLE t(a); INSERT INTO t VALUES (1)', join(dir, 'app.db'))
  await rowbackJson(['backup', source, '--repo', join(dir, 'repo.git')])
  const files = contents(join(dir, 'repo.git'))
    .map((line) => line.split(' ')[0] as string)
    .filter((path) => !path.startsWith('objects/'))
  expect(files).toEqual([
    'HEAD',
    'config',
    'hooks/',
    'hooks/pre-push',
    'info/',
    'info/attributes',
    'logs/',
    'logs/HEAD',
    'logs/refs/',
    'logs/refs/heads/',
    'logs/refs/heads/main',
    'refs/',
    'refs/heads/',
    'refs/heads/main',
    'refs/tags/',
    'rowback/',
    'rowback/state',
    'rowback/tmp/',
  ])
  expect(statSync(join(dir, 'repo.git')).mode & 0o777).toBe(0o700)
})

test('a diff refuses a commit that only makes a file of it one to be run.', async () => {
  const scene = await hostileScene()
  const path = `${dump}/20-tables.sql`
  const made = hostileCommit(scene, { changes: { [path]: (content) => content }, mode: '100755' })
  const { code, stderr } = await rowback(['diff', 'main~1', made, '--repo', scene.repository])
  expect({ code, stderr }).toEqual({
    code: 14,
    stderr: expect.stringContaining(`${path}: its mode is 100755, not 100644`),
  })
})

test('--file takes the path of a database or file before the name of a folder in the repository.', async () => {
  const dir = tempDir()
  mkdirSync(join(dir, 'data', 'sub'), { recursive: true })
  const rows = (value: number): string => `CREATE TABLE t(a); INSERT INTO t VALUES (${value})`
  databaseFrom(rows(1), join(dir, 'data', 'sub', 'app.db'))
  writeFileSync(join(dir, 'data', 'sub%2Fapp.db'), 'a file')
  databaseFrom(rows(2), join(dir, 'data', 'sub', 'b.db'))
  databaseFrom(rows(3), join(dir, 'data', 'sub%2Fb.db'))
  const repo = ['--repo', 'repo.git']
  expect(await rowback(['backup', 'data', ...repo], { cwd: dir })).toMatchObject({ code: 0, stderr: '' })
  const restored = async (...args: string[]): Promise<string> => {
    const output = join(tempDir(), 'out')
    const done = await rowback(['restore', 'latest', ...args, '--output', output, ...repo], { cwd: dir })
    expect(done).toMatchObject({ code: 0, stderr: '' })
    return output
  }
  expect(readFileSync(await restored('--file', 'sub%2Fapp.db'), 'utf8')).toBe('a file')
  const valueIn = (file: string): string => execFileSync('sqlite3', [file, 'SELECT a FROM t']).toString()
  expect(valueIn(await restored('--file', 'sub%2Fb.db'))).toBe('3\n')
  expect(valueIn(await restored('--table', 't', '--file', 'sub%2Fb.db'))).toBe('3\n')
  expect(valueIn(await restored('--file', 'sub%252Fb.db'))).toBe('3\n')
  expect(valueIn(await restored('--table', 't', '--file', 'sub%2Fapp.db'))).toBe('1\n')
})

test('a restore keeps the mode of an empty target, and lets nobody else look until it is done.', async () => {
  const dir = tempDir()
  const source = databaseFrom('CREATE TABLE t(a); INSERT INTO t VALUES (1);', join(dir, 'app.db'))
  expect(await rowback(['backup', source, '--repo', 'repo.git'], { cwd: dir })).toMatchObject({ code: 0 })
  const modeOf = async (target: string): Promise<number> => {
    const args = ['restore', 'latest', '--to', target, '--repo', 'repo.git']
    expect(await rowback(args, { cwd: dir })).toMatchObject({ code: 0 })
    return statSync(join(dir, target)).mode & 0o7777
  }
  mkdirSync(join(dir, 'private'), { mode: 0o700 })
  expect(await modeOf('private')).toBe(0o700)
  mkdirSync(join(dir, 'shared'))
  chmodSync(join(dir, 'shared'), 0o2775)
  expect(await modeOf('shared')).toBe(0o2775)
  expect(await modeOf('new')).toBe(0o777 & ~process.umask())
})

test('restore gives folders that hold only databases the mode that the manifest does not name, whatever the umask.', async () => {
  const dir = tempDir()
  mkdirSync(join(dir, 'data', 'sub', 'deep'), { recursive: true })
  databaseFrom('CREATE TABLE t(a)', join(dir, 'data', 'sub', 'deep', 'app.db'))
  for (const name of ['sub', 'sub/deep']) chmodSync(join(dir, 'data', name), 0o755)
  expect(await rowback(['backup', 'data', '--repo', 'repo.git'], { cwd: dir })).toMatchObject({ code: 0 })
  const script = 'umask 002; exec "$@"'
  const args = ['restore', 'latest', '--to', 'out', '--repo', 'repo.git']
  execFileSync('sh', ['-c', script, 'sh', process.execPath, binary, ...args], { cwd: dir, stdio: 'pipe' })
  for (const name of ['sub', 'sub/deep']) expect(statSync(join(dir, 'out', name)).mode & 0o777).toBe(0o755)
})

test('restore makes a single file where there are no hard links, and replaces nothing there either.', async (context) => {
  if (!canTrace()) return context.skip('it needs strace')
  const dir = tempDir()
  databaseFrom('CREATE TABLE t(a)', join(dir, 'app.db'))
  expect(await rowback(['backup', 'app.db', '--repo', 'repo.git'], { cwd: dir })).toMatchObject({ code: 0 })
  const inject = ['-f', '-qq', '-o', '/dev/null', '-e', 'inject=link,linkat:error=EPERM']
  const args = ['restore', 'latest', '--file', 'app.db', '--output', 'out.db', '--repo', 'repo.git']
  execFileSync('strace', [...inject, process.execPath, binary, ...args], { cwd: dir, stdio: 'pipe' })
  expect(facts(join(dir, 'out.db'))).toEqual(facts(join(dir, 'app.db')))
  expect(readdirSync(dir).sort()).toEqual(['app.db', 'out.db', 'repo.git'])
})
