/** Verifying: what it says of a commit that does not restore, and the walk through a whole history. */

import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type BackupOptions, backup } from '../../src/backup.ts'
import type { Progress } from '../../src/progress.ts'
import { restore } from '../../src/restore.ts'
import { verify } from '../../src/verify.ts'
import { type VerifyAllResult, verifyAll } from '../../src/verify-all.ts'
import { copiedPlace } from '../support/copied-place.ts'
import { databaseFrom } from '../support/database.ts'
import { craftCommit, filesOf, git } from '../support/git.ts'
import { rowback, rowbackJson } from '../support/in-process.ts'
import { tempDir } from '../support/temp.ts'

interface Place {
  dir: string
  source: string
  repository: string
  /** Backs the source up and returns the commit. */
  commit(options?: Partial<BackupOptions>): Promise<string>
  /** Runs SQL in one of the databases. */
  sql(database: string, statements: string): void
}

/** A data directory with two databases and two files; its repository is made by the first `commit`. */
function place(dir = tempDir()): Place {
  const [source, repository] = [join(dir, 'data'), join(dir, 'repo.git')]
  mkdirSync(join(source, 'icons'), { recursive: true })
  databaseFrom(
    `CREATE TABLE note(id INTEGER PRIMARY KEY, text);
     INSERT INTO note VALUES (1,'one'),(2,'two'),(3,'three');
     CREATE TABLE price(amount REAL); INSERT INTO price VALUES (1.5);
     CREATE INDEX note_text ON note(text);`,
    join(source, 'app.db'),
  )
  databaseFrom('CREATE TABLE entry(day, text); INSERT INTO entry VALUES (1,2)', join(source, 'log.db'))
  writeFileSync(join(source, 'settings.json'), '{}')
  writeFileSync(join(source, 'icons', 'a.png'), 'not quite a picture')
  return {
    dir,
    source,
    repository,
    commit: async (options) => (await backup({ source, repository, verify: 'never', ...options })).latest,
    sql: (database, statements) => {
      execFileSync('sqlite3', ['-bail', join(source, database)], { input: statements })
    },
  }
}

const committedPlace = copiedPlace((dir) => place(dir).commit())

const note = 'databases/app.db/30-rows/note/+first/+first.sql'
const price = 'databases/app.db/30-rows/price/+first/+first.sql'
const schema = 'databases/app.db/40-schema.sql'
const assetLines = 'assets-manifest/+first/+first.jsonl'

/** What is changed in a good commit, and what verify says of it. */
const findings: Record<string, { changes: Parameters<typeof craftCommit>[1]; finding: string }> = {
  'rows out of order': {
    changes: { [note]: (text) => text?.replace(" (1,'one')\n,(2,'two')", " (2,'two')\n,(1,'one')") },
    finding: `table "note" of database "app.db": ${note} line 2 came back different: expected "(2,'two')", found "(1,'one')"`,
  },
  'another spelling of a number': {
    changes: { [price]: (text) => text?.replace('1.5', '1.50') },
    finding: `table "price" of database "app.db": ${price} line 2 came back different: expected "(1,1.50)", found "(1,1.5)"`,
  },
  'a row in a chunk of its own': {
    changes: {
      [note]: (text) => text?.replace(",(3,'three')\n", ''),
      [note.replace(/\+first\.sql$/, '0000000000000000003.sql')]: () =>
        `INSERT INTO "note"("id","text") VALUES\n (3,'three')\n;\n`,
    },
    finding: `table "note" of database "app.db": ${note} line 4 came back different: expected ";", found "(3,'three')"`,
  },
  'rows in a chunk that is called otherwise': {
    changes: {
      [note]: () => undefined,
      [note.replace(/\+first\.sql$/, '0000000000000000001.sql')]: () =>
        `INSERT INTO "note"("id","text") VALUES\n (1,'one')\n,(2,'two')\n,(3,'three')\n;\n`,
    },
    finding: `table "note" of database "app.db": the replayed data gives ${note} with the row "(1,'one')", which the commit lacks`,
  },
  'a row less, in a chunk that only the data gives': {
    changes: {
      [note]: () => undefined,
      [note.replace(/\+first\.sql$/, '0000000000000000002.sql')]: () =>
        `INSERT INTO "note"("id","text") VALUES\n (1,'one')\n;\n`,
    },
    finding: `table "note" of database "app.db": the replayed data gives ${note} with the row "(1,'one')", which the commit lacks`,
  },
  'another statement for the same index': {
    changes: { [schema]: (text) => text?.replace('CREATE INDEX', 'CREATE  INDEX') },
    finding: `database "app.db": ${schema} line 1 came back different: expected "CREATE  INDEX note_text ON note(text);", found "CREATE INDEX note_text ON note(text);"`,
  },
  'an asset of another size': {
    changes: { 'assets/settings.json': () => '{ }' },
    finding: 'asset "settings.json" came back different: expected 2 bytes, found 3 bytes',
  },
  'an asset with other bytes': {
    changes: { 'assets/settings.json': () => '[]' },
    finding:
      'asset "settings.json" came back different: expected SHA-256 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a, found SHA-256 4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945',
  },
  'an asset that is not there': {
    changes: { 'assets/icons/a.png': () => undefined },
    finding: 'asset "icons/a.png" is in the manifest and not in the commit',
  },
  'an asset that the manifest does not name': {
    changes: { 'assets/stray "one"': () => 'x' },
    finding: 'the replayed data does not give "assets/stray \\"one\\""',
  },
  'an asset manifest that is cut': {
    changes: { [assetLines]: (text) => text?.replace(/^.*icons.*\n/, '') },
    finding: 'the replayed data does not give assets/icons/a.png',
  },
}

describe('verify names the table and the first row that differs:', () => {
  for (const [name, { changes, finding }] of Object.entries(findings))
    test(`${name}.`, async () => {
      const dir = await committedPlace()
      const repository = join(dir, 'repo.git')
      const bad = craftCommit(repository, changes)
      expect(git(repository, ['diff', '--name-only', 'main~1', 'main'])).not.toBe('')
      expect(await rowback(['verify', bad, '--repo', 'repo.git'], { cwd: dir })).toEqual({
        code: 13,
        stdout: '',
        stderr: `rowback: verify ${bad.slice(0, 12)}: ${finding}\nrowback: try: rowback verify --all\n`,
      })
    })
})

test('verify refuses an asset in the place of a database, as restore does.', async () => {
  const { repository, commit, dir } = place()
  await commit()
  const line = (text: string): string => text.replace('"path":"settings.json"', '"path":"app.db-wal"')
  const bad = craftCommit(repository, {
    [assetLines]: (text) =>
      text &&
      line(text)
        .split('\n')
        .sort()
        .join('\n')
        .replace(/^\n(.*)/s, '$1\n'),
    'assets/settings.json': () => undefined,
    'assets/app.db-wal': () => '{}',
  })
  const refusal = {
    code: 'dump',
    message: expect.stringContaining('restore app.db-wal: the manifest lists it twice'),
  }
  await expect(verify({ repository, rev: bad })).rejects.toMatchObject(refusal)
  await expect(restore({ repository, rev: bad, target: join(dir, 'out') })).rejects.toMatchObject(refusal)
})

/** `rowback/proved` of a repository: the kinds of its claims, counted. */
function claims(repository: string): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const line of readFileSync(join(repository, 'rowback', 'proved'), 'utf8')
    .trimEnd()
    .split('\n')) {
    const kind = line.replace(/ .*/, '')
    counts[kind] = (counts[kind] ?? 0) + 1
  }
  return counts
}

/** Three commits and three trees, of which the last one is that of the first. */
async function history(): Promise<Place & { commits: string[] }> {
  const found = place()
  const { commit, sql, source } = found
  const commits = [await commit()]
  sql('log.db', 'INSERT INTO entry VALUES (3,4)')
  writeFileSync(join(source, 'new.txt'), 'new')
  commits.push(await commit())
  sql('log.db', 'DELETE FROM entry WHERE day=3')
  rmSync(join(source, 'new.txt'))
  commits.push(await commit())
  return { ...found, commits }
}

describe('verify --all', () => {
  test('proves each tree once, and in it what no tree before has had.', async () => {
    const { repository, commits } = await history()
    expect(new Set(git(repository, ['log', '--format=%T', 'main']).split('\n')).size).toBe(2)
    const first = await verifyAll({ repository })
    // Of four databases and five assets in two trees, one database and two assets are the same.
    const done = { commits: 3, proved: 2, known: 0, replayed: 3, hashed: 3, failures: [] }
    expect(first).toMatchObject(done)
    expect(claims(repository)).toEqual({ tree: 2, database: 3, asset: 3 })
    expect(await verifyAll({ repository })).toMatchObject({
      ...done,
      proved: 0,
      known: 2,
      replayed: 0,
      hashed: 0,
    })
    // A cache that is gone costs time, nothing else.
    rmSync(join(repository, 'rowback', 'proved'))
    expect(await verifyAll({ repository })).toMatchObject(done)
    expect(await verifyAll({ repository, rev: commits[0] })).toMatchObject({ commits: 1, known: 1 })
  })

  test('says what it did, as text and as a document.', async () => {
    const { dir, commits } = await history()
    const args = ['verify', '--all', '--repo', 'repo.git']
    expect(await rowback(args, { cwd: dir })).toEqual({
      code: 0,
      stdout: expect.stringMatching(
        /^3 commits restore: 2 trees proved now, 0 before; 3 databases replayed, 3 assets read, in \d+\.\d s\n$/,
      ),
      stderr: '',
    })
    expect(await rowback([...args, '--quiet'], { cwd: dir })).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(await rowbackJson([...args, 'latest~1'], { cwd: dir })).toEqual({
      commits: 2,
      proved: 0,
      known: 2,
      replayed: 0,
      hashed: 0,
      failures: [],
      timesMs: expect.anything(),
    })
    expect(await rowback([...args, ...commits], { cwd: dir })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(': it walks from one REV\nrowback: try: rowback verify --all REV\n'),
    })
  })

  test('does not take settings, tables or a changed file for those of a proof.', async () => {
    const { repository, commit, source } = place()
    await commit()
    await verifyAll({ repository })
    const manifest = craftCommit(repository, {
      'manifest.json': (text) => text?.replace('"name":"entry","rows":1', '"name":"entry","rows":2'),
    })
    await expect(verify({ repository, rev: manifest, unlessProved: true })).rejects.toMatchObject({
      message: expect.stringContaining('manifest.json line'),
    })
    git(repository, ['update-ref', 'refs/heads/main', 'main~1'])
    await commit({ fullText: 'exact' })
    writeFileSync(join(source, 'copy.json'), '{}')
    await commit()
    // The files of the databases are the same, the setting in the manifest is not; the copied asset has a known content.
    expect(await verifyAll({ repository })).toMatchObject({ commits: 3, proved: 2, replayed: 2, hashed: 0 })
  })

  test('goes on after a commit that does not restore, and names all of them.', async () => {
    const { dir, repository, commit, sql } = place()
    const good = await commit()
    const order = craftCommit(repository, {
      [note]: (text) => text?.replace(" (1,'one')\n,(2,'two')", " (2,'two')\n,(1,'one')"),
    })
    sql('app.db', "INSERT INTO note VALUES (4,'four')")
    const better = await commit()
    const evil = craftCommit(repository, { [schema]: (text) => `${text}DELETE FROM note;\n` })
    const lost = craftCommit(repository, {
      [schema]: (text) => text?.replace('DELETE FROM note;\n', ''),
      [price]: (text) => text?.replace('1.5', '2.5'),
    })
    const blob = filesOf(repository, lost).get(price) as string
    rmSync(join(repository, 'objects', blob.slice(0, 2), blob.slice(2)))

    const failed = await rowback(['verify', '--all', '--json', '--repo', 'repo.git'], { cwd: dir })
    expect(failed.code).toBe(13)
    const document = JSON.parse(failed.stdout) as VerifyAllResult & { error: { message: string } }
    expect(document).toMatchObject({
      commits: 5,
      proved: 2,
      known: 0,
      failures: [
        { commit: lost, code: 'repository', finding: expect.stringContaining(blob) },
        { commit: evil, code: 'dump', finding: expect.stringContaining('"DELETE FROM note"') },
        { commit: order, code: 'difference', finding: findings['rows out of order']?.finding },
      ],
      error: { code: 'difference' },
    })
    const lines = document.failures.map(({ commit, finding }) => `\n  ${commit.slice(0, 10)}: ${finding}`)
    const message = `verify repo.git: 3 of 5 commits do not restore${lines.join('')}`
    expect(document.error.message).toBe(message.replaceAll('\n  ', '; '))
    expect(failed.stderr).toBe(
      `rowback: ${message}\nrowback: try: rowback log, then restore a commit that is not listed here\n`,
    )
    for (const rev of [good, better])
      expect(await verify({ repository, rev, unlessProved: true })).toMatchObject({ proved: 'before' })
    // What has failed is not taken for proved the next time.
    expect((await verifyAll({ repository })).failures).toHaveLength(3)
  })

  test('says which commit it is at.', async () => {
    const { repository } = await history()
    const seen: Progress[] = []
    await verifyAll({ repository, onProgress: (progress) => seen.push(progress) })
    const inside = seen.filter(({ phase }) => phase === 'replay').map(({ commit }) => commit)
    expect(inside).toContainEqual({ number: 1, of: 3 })
    expect(inside).toContainEqual({ number: 2, of: 3 })
  })
})

describe('verify', () => {
  test('says where it wanted to work, and a backup works in its repository.', async () => {
    const { dir } = place()
    const options = { cwd: dir, env: { TMPDIR: join(dir, 'none') } }
    expect(await rowback(['backup', 'data', '--repo', 'repo.git'], options)).toMatchObject({ code: 0 })
    const failed = await rowback(['verify', '--repo', 'repo.git'], options)
    expect(failed).toMatchObject({ code: 15, stdout: '' })
    expect(failed.stderr).toMatch(
      /^rowback: make a temporary folder in .*\/none: ENOENT[^\n]*\nrowback: try: TMPDIR=DIR rowback …\n$/,
    )
  })
})

describe('verify --unless-proved', () => {
  test('replays only the database that no proof covers; without it all are replayed.', async () => {
    const { repository, commit, sql } = place()
    await commit()
    expect(await verify({ repository, rev: 'latest' })).toMatchObject({ replayed: 2, hashed: 2 })
    expect(await verify({ repository, rev: 'latest' })).toMatchObject({ replayed: 2, hashed: 2 })
    sql('log.db', 'DELETE FROM entry')
    await commit()
    expect(await verify({ repository, rev: 'latest', unlessProved: true })).toMatchObject({
      proved: 'now',
      databases: 2,
      replayed: 1,
      hashed: 0,
      rows: 4,
      files: 2,
    })
    expect(claims(repository)).toEqual({ tree: 2, database: 3, asset: 2 })
  })
})
