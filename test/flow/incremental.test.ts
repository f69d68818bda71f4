/** A backup reads what changed since the last one, and all where it cannot be sure. */

import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type BackupOptions, type BackupResult, backup } from '../../src/backup.ts'
import { diff } from '../../src/diff.ts'
import { stateKey } from '../../src/state.ts'
import { verify } from '../../src/verify.ts'
import { databaseFrom, openApplication } from '../support/database.ts'
import { git } from '../support/git.ts'
import { tempDir } from '../support/temp.ts'

/** A few chunks of rows. */
const schema = `CREATE TABLE note(id INTEGER PRIMARY KEY, body TEXT); CREATE TABLE other(a);
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<2000)
  INSERT INTO note SELECT i, hex(randomblob(150)) FROM n; INSERT INTO other VALUES (1);`

interface Place {
  data: string
  source: string
  repository: string
}

function place(sql = schema, dir = tempDir()): Place {
  const data = join(dir, 'data')
  mkdirSync(data)
  return { data, source: databaseFrom(sql, join(data, 'app.db')), repository: join(dir, 'repo.git') }
}

function run({ data, repository }: Place, options: Partial<BackupOptions> = {}): Promise<BackupResult> {
  return backup({ source: data, repository, hook: false, ...options })
}

function change(source: string, sql: string): void {
  const db = new Database(source)
  db.exec(sql)
  db.close()
}

/** The tree that a repository without any memory makes of the source. */
async function fullTree({ data }: Place): Promise<string> {
  return (await run({ data, source: '', repository: join(tempDir(), 'other.git') })).tree
}

/** Longer than what counts as written just now. */
const settle = () => sleep(2_600)

function writeAtStart(file: string, bytes: Buffer): void {
  const descriptor = openSync(file, 'r+')
  writeSync(descriptor, bytes, 0, bytes.length, 0)
  closeSync(descriptor)
}

const state = ({ repository }: Place): string => join(repository, 'rowback', 'state')

describe('a source that nothing was written to', () => {
  test('is not read again.', async () => {
    const it = place()
    writeFileSync(join(it.data, 'settings.json'), '{}')
    await settle()
    const first = await run(it)
    expect(first.read).toBe('all')
    const again = await run(it)
    expect(again).toMatchObject({ read: 'nothing', latest: first.commit, tree: first.tree })
    expect(again.commit).toBeUndefined()
    const { files, bytes, summary } = again
    expect(files).toEqual({ written: 0, reused: first.files.written })
    expect(bytes).toEqual({ total: first.bytes.total, written: 0 })
    expect(summary).toMatchObject({ rows: first.summary.rows, files: 1, schemaChanged: false })
  })

  test('is read if that was just now, when another write may leave the same time.', async () => {
    const it = place()
    await run(it)
    expect((await run(it)).read).toBe('changes')
    await settle()
    expect((await run(it)).read).toBe('changes')
    expect((await run(it)).read).toBe('nothing')
  })

  test('is not read again while the application has it open in WAL mode.', async () => {
    const it = place(`PRAGMA journal_mode=WAL; ${schema}`)
    await openApplication(it.source, `UPDATE note SET body='in the WAL' WHERE id=7`)
    await settle()
    const { read, tree } = await run(it)
    expect(read).toBe('all')
    expect(await run(it)).toMatchObject({ read: 'nothing', tree })
    expect(tree).toBe(await fullTree(it))
  })

  for (const mode of ['PERSIST', 'TRUNCATE'])
    test(`is not read again in ${mode} mode, whose journal stays.`, async () => {
      const it = place()
      await openApplication(it.source, `PRAGMA journal_mode=${mode}; UPDATE note SET body='one' WHERE id=7`)
      expect(existsSync(`${it.source}-journal`)).toBe(true)
      await settle()
      const { read, tree } = await run(it)
      expect(read).toBe('all')
      expect(await run(it)).toMatchObject({ read: 'nothing', tree })
      change(it.source, `PRAGMA journal_mode=${mode}; UPDATE other SET a=2`)
      const changed = await run(it)
      expect(changed).toMatchObject({ read: 'changes', subject: 'data: 1 row changed' })
      expect(changed.tree).toBe(await fullTree(it))
    })
})

describe('what was written is seen', () => {
  test('though it counts only long after it was written, as where a disk is slow.', async () => {
    const it = place(`PRAGMA journal_mode=WAL; ${schema}`)
    await openApplication(it.source, `UPDATE note SET body='one' WHERE id=7`)
    const index = `${it.source}-shm`
    const before = readFileSync(index).subarray(0, 96)
    change(it.source, `UPDATE other SET a=2`)
    const after = readFileSync(index).subarray(0, 96)
    writeAtStart(index, before)
    await settle()
    expect((await run(it)).read).toBe('all')
    expect((await run(it)).read).toBe('nothing')
    writeAtStart(index, after)
    const seen = await run(it)
    expect(seen).toMatchObject({ read: 'changes', subject: 'data: 1 row changed' })
    expect(seen.tree).toBe(await fullTree(it))
  })

  const writes: Record<string, (place: Place) => void> = {
    'a row': ({ source }) => change(source, `UPDATE other SET a=2`),
    'a row and the time set back': ({ source }) =>
      setBack(source, () => change(source, `UPDATE other SET a=2`)),
    'another database of the same size and time': ({ source }) => setBack(source, () => replace(source)),
    'a new asset': ({ data }) => writeFileSync(join(data, 'new.txt'), 'new'),
    'an asset of the same size and time': ({ data }) =>
      setBack(join(data, 'a.txt'), () => writeFileSync(join(data, 'a.txt'), 'bbbb')),
    'an asset that is gone': ({ data }) => rmSync(join(data, 'a.txt')),
    'an empty directory': ({ data }) => mkdirSync(join(data, 'empty')),
  }

  // All of them wait for their files to settle at once.
  let top = ''
  const places = new Map<string, Place>()
  beforeAll(async () => {
    top = mkdtempSync(join(tmpdir(), 'rowback-settled-'))
    for (const [index, what] of Object.keys(writes).entries()) {
      const dir = join(top, String(index))
      mkdirSync(dir)
      const it = place(schema, dir)
      writeFileSync(join(it.data, 'a.txt'), 'aaaa')
      places.set(what, it)
    }
    await settle()
  })
  afterAll(() => rmSync(top, { recursive: true, force: true }))

  for (const [what, write] of Object.entries(writes))
    test(`${what}.`, async () => {
      const it = places.get(what) as Place
      const first = await run(it)
      expect((await run(it)).read).toBe('nothing')
      write(it)
      const second = await run(it)
      expect(second.read).toBe('changes')
      expect(second.commit).not.toBe(first.commit)
      expect(second.tree).toBe(await fullTree(it))
      expect(second.files.written).toBeLessThan(first.files.written)
    })
})

function setBack(file: string, write: () => void): void {
  const { atime, mtime } = statSync(file)
  write()
  utimesSync(file, atime, mtime)
}

function replace(source: string): void {
  const copy = join(tempDir(), 'copy.db')
  copyFileSync(source, copy)
  change(copy, `UPDATE other SET a=3`)
  copyFileSync(copy, source)
}

describe('only what changed is read', () => {
  test('of rows: one chunk, and the summary is right.', async () => {
    const it = place()
    const first = await run(it)
    change(it.source, `UPDATE note SET body=hex(randomblob(150)) WHERE id=1000; INSERT INTO other VALUES (5)`)
    const second = await run(it)
    expect(second.read).toBe('changes')
    expect(second.subject).toBe('data: 1 row added, 1 changed')
    // A chunk of each table, and the manifest with its count.
    expect(second.files.written).toBe(3)
    expect(second.bytes.total).toBeGreaterThan(first.bytes.total - 100)
    expect(second.tree).toBe(await fullTree(it))
  })
})

test('A backup of an application that has written nothing yet is remembered.', async () => {
  const it = place(`PRAGMA journal_mode=WAL; ${schema}`)
  const app = await openApplication(it.source, 'SELECT count(*) FROM note')
  await run(it)
  change(it.source, `INSERT INTO other VALUES (6)`)
  expect(await run(it)).toMatchObject({ read: 'changes', subject: 'data: 1 row added' })
  expect((await run(it, { full: true })).commit).toBeUndefined()
  await app.end()
})

test('An extension that was built anew makes what is remembered void.', () => {
  const extension = join(tempDir(), 'one.so')
  writeFileSync(extension, 'old')
  const source = { kind: 'file', path: '/app.db', databases: [], assets: [], warnings: [] } as const
  const key = () =>
    stateKey({ ...source, databases: [], assets: [], warnings: [] }, { extensions: [extension] })
  const before = key()
  expect(key()).toBe(before)
  writeFileSync(extension, 'newer')
  expect(key()).not.toBe(before)
})

describe('all is read', () => {
  for (const [what, spoil, options] of [
    ['without a state', (it: Place) => rmSync(state(it)), {}],
    ['with a damaged state', (it: Place) => writeFileSync(state(it), 'x'), {}],
    [
      'with a state that is cut short',
      (it: Place) => truncateSync(state(it), statSync(state(it)).size - 9),
      {},
    ],
    ['with a state that is changed', (it: Place) => flip(state(it)), {}],
    ['where another commit is the last', (it: Place) => amend(it), {}],
    ['with other settings', () => {}, { excludeTables: ['other'] as string[] }],
    ['when it is asked for', () => {}, { full: true }],
  ] as const)
    test(`${what}.`, async () => {
      const it = place()
      await run(it)
      change(it.source, `UPDATE note SET body='changed' WHERE id=1000`)
      spoil(it)
      const { read, tree } = await run(it, options)
      expect(read).toBe('all')
      if (!('excludeTables' in options)) expect(tree).toBe(await fullTree(it))
      expect(existsSync(state(it))).toBe(true)
    })
})

test('A table with line ends in its names is compared with what it was.', async () => {
  const it = place(
    'CREATE TABLE "one\ntwo"(id INTEGER PRIMARY KEY, "a\nb"); INSERT INTO "one\ntwo" VALUES (1,1),(2,2);',
  )
  const first = await run(it)
  change(it.source, 'UPDATE "one\ntwo" SET id=3 WHERE id=2')
  const second = await run(it)
  expect(second.subject).toBe('data: 1 row added, 1 removed')
  expect(second.tree).toBe(await fullTree(it))
  const rows: unknown[] = []
  const { repository } = it
  for await (const item of diff({ repository, from: first.commit as string, to: second.commit as string }))
    rows.push(item)
  expect(rows.length).toBeGreaterThan(0)
})

test('A database that is damaged at its start, emptied, or a symlink is refused beside another one.', async () => {
  const losses: [string, (file: string) => void][] = [
    ['it is empty', (file) => truncateSync(file, 0)],
    ['it is damaged, and no SQLite database any more', (file) => writeAtStart(file, Buffer.alloc(100))],
    ['it is damaged, and no SQLite database any more', (file) => writeAtStart(file, Buffer.from('x'))],
    [
      'it is a symlink',
      (file) => {
        renameSync(file, `${file}.moved`)
        symlinkSync(`${file}.moved`, file)
      },
    ],
  ]
  for (const [cause, spoil] of losses)
    for (const include of [['**'], ['none']]) {
      const it = place()
      databaseFrom('CREATE TABLE t(a)', join(it.data, 'other.db'))
      await run(it, { assets: { include, exclude: [] } })
      spoil(it.source)
      await expect(run(it, { assets: { include, exclude: [] } })).rejects.toMatchObject({
        code: 'source',
        message: `read app.db: ${cause}, and the last commit has a database there; nothing was committed`,
      })
      expect((await run(it, { assets: { include, exclude: ['app.db'] } })).commit).toBeDefined()
      await run(it, { assets: { include, exclude: [] } })
    }
})

test('A database in a directory that was moved away behind a symlink is refused, and said to be behind one.', async () => {
  const it = place()
  mkdirSync(join(it.data, 'sub'))
  databaseFrom('CREATE TABLE t(a)', join(it.data, 'sub', 'other.db'))
  await run(it)
  renameSync(join(it.data, 'sub'), `${it.data}-moved`)
  symlinkSync(`${it.data}-moved`, join(it.data, 'sub'))
  await expect(run(it)).rejects.toMatchObject({
    code: 'source',
    message:
      'read sub/other.db: a directory above it is a symlink, and is not entered, and the last commit has a database there; nothing was committed',
  })
})

test('A table to be left out is found whatever its case, and one that no database has is told.', async () => {
  const it = place()
  const excludeTables = ['NOTE', 'nil']
  const { warnings } = await run(it, { excludeTables })
  expect(warnings).toEqual(['exclude table nil: no database has it'])
  const manifest = JSON.parse(git(it.repository, ['show', 'main:manifest.json']))
  expect(manifest.databases[0].excludedTables).toEqual(['nil', 'note'])
  expect(git(it.repository, ['ls-tree', '-r', '--name-only', 'main'])).not.toContain('30-rows/note/')
  await verify({ repository: it.repository, rev: 'latest' })
})

test('A repository that is the source itself, with a work tree, is no asset.', async () => {
  const it = place()
  git(it.data, ['init', '--quiet', '--initial-branch=main'])
  await run(it, { repository: it.data })
  expect((await run(it, { repository: it.data })).commit).toBeUndefined()
  expect(git(it.data, ['ls-tree', '-r', '--name-only', 'main'])).not.toContain('objects')
})

test('A run that fails leaves what is remembered as it was.', async () => {
  const it = place()
  await run(it)
  const before = readFileSync(state(it))
  change(it.source, `UPDATE note SET body='changed' WHERE id=1000`)
  copyFileSync(it.source, join(it.data, 'second.db'))
  truncateSync(join(it.data, 'second.db'), 8192)
  await expect(run(it)).rejects.toMatchObject({ code: 'source' })
  expect(readFileSync(state(it)).equals(before)).toBe(true)
  rmSync(join(it.data, 'second.db'))
  expect(await run(it)).toMatchObject({ read: 'changes', tree: await fullTree(it) })
})

function flip(file: string): void {
  const bytes = readFileSync(file)
  const at = bytes.length - 100
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
  writeFileSync(file, bytes)
}

function amend({ repository }: Place): void {
  const branch = git(repository, ['symbolic-ref', 'HEAD'])
  const tree = git(repository, ['rev-parse', `${branch}^{tree}`])
  const author = ['-c', 'user.name=x', '-c', 'user.email=x@x']
  git(repository, ['update-ref', branch, git(repository, [...author, 'commit-tree', tree, '-m', 'x'])])
}
