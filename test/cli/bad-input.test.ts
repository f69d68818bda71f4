/** What bad input gets: one clear line, the right exit code, and nothing changed. */

import { randomBytes } from 'node:crypto'
import {
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { backup } from '../../src/backup.ts'
import { type ErrorCode, exitCodes } from '../../src/errors.ts'
import { contents, type Ended, program, projectRoot, rowback as rowbackProcess } from '../support/cli.ts'
import { copiedPlace } from '../support/copied-place.ts'
import { databaseFrom, openApplication } from '../support/database.ts'
import { craftCommit, foreignRepository, git } from '../support/git.ts'
import { rowback } from '../support/in-process.ts'
import { smallDisk } from '../support/mount.ts'
import { tempDir } from '../support/temp.ts'

/** Twenty pages of rows and an index, so that there is something to cut off and to damage. */
const rows = `CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, body TEXT); CREATE INDEX note_title ON note(title);
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<60)
  INSERT INTO note SELECT i, 'note '||i, hex(zeroblob(500)) FROM n;`

interface Scene {
  /** Holds all the rest; nothing in it may change. */
  dir: string
  /** `app.db` in `dir`, in one of the two journal modes. */
  source: string
  /** Holds one backup of the source. */
  repository: string
}

/** A database and its repository with one backup. */
async function scene(sql = rows): Promise<Scene> {
  const dir = sql === rows ? await madeScene() : tempDir()
  if (sql !== rows) await makeScene(dir, sql)
  return { dir, source: join(dir, 'data', 'app.db'), repository: join(dir, 'repo.git') }
}

const madeScene = copiedPlace((dir) => makeScene(dir, rows))

async function makeScene(dir: string, sql: string): Promise<void> {
  for (const name of ['tmp', 'data']) mkdirSync(join(dir, name))
  const source = databaseFrom(sql, join(dir, 'data', 'app.db'))
  await backup({ source, repository: join(dir, 'repo.git') })
}

/** A data directory with a database and an asset, and its repository with one backup. */
async function directoryScene(): Promise<Scene> {
  const dir = await madeDirectoryScene()
  return { dir, source: join(dir, 'data'), repository: join(dir, 'repo.git') }
}

const madeDirectoryScene = copiedPlace(async (dir) => {
  for (const name of ['tmp', 'data']) mkdirSync(join(dir, name))
  databaseFrom(rows, join(dir, 'data', 'app.db'))
  writeFileSync(join(dir, 'data', 'settings.json'), '{}')
  await backup({ source: join(dir, 'data'), repository: join(dir, 'repo.git') })
})

interface Refusal {
  code: ErrorCode
  /** The whole message, or a pattern of it where SQLite or the system has its say. */
  message: string | RegExp
  hint?: string | RegExp
}

/** The verbs and codes that the program itself was run for: both forms of its output are made in one place. */
const seen = new Set<string>()

/** Expects that a command fails with one message, in both forms of output, and changes nothing in the scene. */
async function expectRefusal(
  { dir }: Pick<Scene, 'dir'>,
  args: readonly string[],
  { code, message, hint }: Refusal,
): Promise<void> {
  const options = { cwd: dir, env: { TMPDIR: join(dir, 'tmp') } }
  const before = state(dir)
  const [verb = '', ...rest] = args
  const isFirst = !seen.has(`${verb} ${code}`)
  seen.add(`${verb} ${code}`)
  const plain = await (isFirst ? rowbackProcess : rowback)(args, options)
  const json = isFirst ? await rowbackProcess([verb, '--json', ...rest], options) : undefined
  expect(state(dir)).toEqual(before)

  const said = message instanceof RegExp ? message.source : escaped(message)
  const tried = hint instanceof RegExp ? hint.source : hint === undefined ? '[^\n]+' : escaped(hint)
  const hintLine = `(?:rowback: try: (?:${tried})\n)${hint === undefined ? '?' : ''}`
  const wanted = new RegExp(`^rowback: (?:${said})\n${hintLine}$`)
  expect(plain).toEqual({ code: exitCodes[code], stdout: '', stderr: expect.stringMatching(wanted) })
  if (json) expectDocument(json, plain, code)
}

/** Expects of the form with --json the same message and one document that says it, too. */
function expectDocument(json: Ended, plain: Ended, code: ErrorCode): void {
  expect(json).toMatchObject({ code: plain.code, stderr: plain.stderr })
  const { error } = JSON.parse(json.stdout) as { error: { code: string; message: string; hint?: string } }
  expect(JSON.parse(json.stdout)).toEqual({ error: { ...error, code } })
  const lines = [`rowback: ${error.message}`, ...(error.hint ? [`rowback: try: ${error.hint}`] : [])]
  expect(plain.stderr.replaceAll('\n  ', '; ')).toBe(`${lines.join('\n')}\n`)
}

/** All below a folder, but for the empty folder that holds the work of a running backup. */
function state(dir: string): string[] {
  return contents(dir).filter((line) => !line.startsWith('repo.git/rowback/tmp/ '))
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}

/** Overwrites a part of a file and leaves the rest. */
function overwrite(file: string, position: number, bytes: Uint8Array): void {
  const descriptor = openSync(file, 'r+')
  writeSync(descriptor, bytes, 0, bytes.length, position)
}

const page = 4096

/** What happens to a database, and what is then said of it; `wal` are databases in WAL mode. */
const badDatabases: Record<string, { sql?: string; spoil(file: string): void; says: RegExp }> = {
  'a file that is no database': {
    spoil: (file) => writeFileSync(file, 'hello '.repeat(2000)),
    says: /it is no SQLite database, or it is encrypted/,
  },
  'a file that is shorter than a header': {
    spoil: (file) => writeFileSync(file, 'SQLite'),
    says: /it is no SQLite database, or it is encrypted/,
  },
  'an empty file': { spoil: (file) => truncateSync(file, 0), says: /the file is empty/ },
  'a file of nothing but the magic': {
    spoil: (file) => truncateSync(file, 16),
    says: /it is no SQLite database, or it is encrypted/,
  },
  'a header with an impossible page size': {
    spoil: (file) => overwrite(file, 16, Buffer.from([0x12, 0x34])),
    says: /it is no SQLite database, or it is encrypted/,
  },
  'a database that is cut at the border of a page': {
    spoil: (file) => truncateSync(file, 5 * page),
    says: /the file is cut short: 20480 of \d+ bytes are there/,
  },
  'a database that is cut inside a page': {
    spoil: (file) => truncateSync(file, 5 * page + 100),
    says: /the file is cut short: 20580 of \d+ bytes are there/,
  },
  'a database in WAL mode that is cut at the border of a page': {
    sql: `PRAGMA journal_mode=WAL; ${rows}`,
    spoil: (file) => truncateSync(file, 5 * page),
    says: /the file is cut short: 20480 of \d+ bytes are there/,
  },
  'a database in WAL mode that is cut inside a page': {
    sql: `PRAGMA journal_mode=WAL; ${rows}`,
    spoil: (file) => truncateSync(file, 5 * page + 100),
    says: /the file is cut short: 20580 of \d+ bytes are there/,
  },
  'a database whose schema is overwritten': {
    spoil: (file) => overwrite(file, 100, randomBytes(page - 100)),
    says: /it is corrupt: database disk image is malformed/,
  },
  'a database whose pages of rows are overwritten': {
    spoil: (file) => overwrite(file, 8 * page, Buffer.alloc(3 * page)),
    says: /it is corrupt: (?:[^;\n]+)/,
  },
  'a large database whose pages of rows are overwritten': {
    sql: `${rows} WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i+1 FROM n WHERE i<9000)
      INSERT INTO note SELECT i, 'note '||i, hex(zeroblob(500)) FROM n;`,
    spoil: (file) => overwrite(file, 1500 * page, Buffer.alloc(3 * page)),
    says: /it is corrupt: (?:[^;\n]+)/,
  },
  'a database in which a page of rows stands twice': {
    spoil: (file) => overwrite(file, 12 * page, readFileSync(file).subarray(10 * page, 11 * page)),
    says: /it is corrupt: [^;\n]*Rowid \d+ out of order/,
  },
  'a database whose list of free pages names a page of rows': {
    sql: `CREATE TABLE gone(b); INSERT INTO gone VALUES (zeroblob(20000)); ${rows} DROP TABLE gone;`,
    spoil: (file) => overwrite(file, 32, Buffer.from([0, 0, 0, 12])),
    says: /it is corrupt: (?:[^;\n]+)/,
  },
  'a database with two rows that are equal in a unique index': {
    spoil: (file) =>
      change(
        file,
        `UPDATE note SET title='note 1' WHERE id=2; ${rewrite('note_title', 'CREATE UNIQUE INDEX note_title ON note(title)')}`,
      ),
    says: /it is corrupt: rows of table "note" are equal in its unique index "note_title"/,
  },
  'a database with two rows that are equal in a unique index on some rows': {
    spoil: (file) =>
      change(
        file,
        `UPDATE note SET title='note 1' WHERE id=2; DROP INDEX note_title; CREATE INDEX note_title ON note(title) WHERE id<9;
        ${rewrite('note_title', 'CREATE UNIQUE INDEX note_title ON note(title) WHERE id<9')}`,
      ),
    says: /it is corrupt: rows of table "note" are equal in its unique index "note_title"/,
  },
  'a database whose root of the rows is overwritten': {
    spoil: (file) => overwrite(file, page, Buffer.alloc(page, 0xff)),
    says: /it is corrupt: (?:[^;\n]+)/,
  },
}

/** Lets stock sqlite3 change a database. */
function change(file: string, sql: string): void {
  databaseFrom(sql, file)
}

/** SQL that gives an object a definition that SQLite would not. */
function rewrite(name: string, sql: string): string {
  return `PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql='${sql.replaceAll("'", "''")}' WHERE name='${name}';`
}

/** Definitions and values that no replay brings back, and what is said of them. */
const lostDefinitions: Record<string, { sql: string; spoil?: (file: string) => void; says: string }> = {
  'an index under a collation that is not there': {
    sql: rewrite('note_title', 'CREATE INDEX note_title ON note(title COLLATE app_order)'),
    says: 'dump index "note_title": no such collation sequence: app_order',
  },
  'an index with a function that is not there': {
    sql: rewrite('note_title', 'CREATE INDEX note_title ON note(app_title(title))'),
    says: 'dump index "note_title": unknown function: app_title()',
  },
  'a unique column under a collation that is not there': {
    sql: `CREATE TABLE t(v UNIQUE); ${rewrite('t', 'CREATE TABLE t(v COLLATE app_order UNIQUE)')}`,
    says: 'dump table "t": no such collation sequence: app_order',
  },
  'rowids that 2,000 columns hide': {
    sql: `CREATE TABLE t(${Array.from({ length: 2000 }, (_, index) => `c${index}`).join(',')}); INSERT INTO t(rowid,c0) VALUES (5,1);`,
    says: 'dump table "t": its 2000 columns leave no room for rowids that have gaps',
  },
  'rowids that 2,000 columns hide, also by their names': {
    sql: `CREATE TABLE t(rowid, oid, _rowid_, ${Array.from({ length: 1997 }, (_, index) => `c${index}`).join(',')});
      INSERT INTO t(c0) VALUES (1),(2); DELETE FROM t WHERE c0=1;`,
    says: 'dump table "t": its 2000 columns leave no room for rowids that have gaps',
  },
  'a default that is not UTF-8 inside an expression': {
    sql: `CREATE TABLE t(v); ${rewrite('t', "CREATE TABLE t(v DEFAULT ('ø'||1))")} UPDATE sqlite_schema SET sql=replace(sql,'ø',CAST(x'e9' AS TEXT));`,
    says: 'dump table "t": the default of its column "v" is an expression that is not valid UTF-8',
  },
  'a definition that is not valid UTF-16': {
    sql: `PRAGMA encoding='UTF-16le'; PRAGMA writable_schema=ON; CREATE VIEW v AS SELECT 1; UPDATE sqlite_schema SET sql=CAST(x'${Buffer.from('CREATE VIEW v AS SELECT 1 --\ud800', 'utf16le').toString('hex')}' AS TEXT);`,
    says: 'dump view "v": its name or definition holds a NUL or is not valid UTF-16le',
  },
  'a text that ends in half a unit of UTF-16': {
    sql: `PRAGMA encoding='UTF-16le'; CREATE TABLE t(v TEXT, w); INSERT INTO t VALUES ('abcd', x'0102');`,
    spoil: halveLastUnit,
    says: 'dump table "t": a text of it ends in half a unit of UTF-16, which no INSERT brings back',
  },
}

/** Moves the border between the text `abcd` and the two bytes behind it (sqlite.org/fileformat2.html, section 2.1). */
function halveLastUnit(file: string): void {
  const at = readFileSync(file).indexOf(Buffer.from('abcd', 'utf16le'))
  overwrite(file, at - 2, Buffer.from([13 + 2 * 7, 12 + 2 * 3]))
}

describe('what no replay brings back is refused by its name:', () => {
  for (const [name, { sql, spoil, says }] of Object.entries(lostDefinitions)) {
    test(`${name}.`, async () => {
      const dir = tempDir()
      mkdirSync(join(dir, 'tmp'))
      const source = databaseFrom(
        sql.startsWith('PRAGMA encoding') ? sql : `${rows} ${sql}`,
        join(dir, 'app.db'),
      )
      spoil?.(source)
      const message = new RegExp(`${says.replace(/[()]/g, '\\$&')}; nothing was committed`)
      await expectRefusal({ dir }, ['backup', source, '--repo', join(dir, 'repo.git')], {
        code: 'source',
        message,
      })
    })
  }
})

describe('a source that is bad is refused and no file is touched:', () => {
  for (const [name, { sql, spoil, says }] of Object.entries(badDatabases)) {
    test(`${name}.`, async () => {
      const place = await scene(sql)
      spoil(place.source)
      const said = (text: RegExp) => ({
        code: 'source' as const,
        message: new RegExp(`read ${escaped(place.source)}: ${text.source}; nothing was committed`),
      })
      await expectRefusal(place, ['backup', place.source, '--repo', place.repository], said(says))
      await expectRefusal(
        place,
        ['backup', place.source, '--repo', join(place.dir, 'new', 'new.git')],
        said(says),
      )
    })
  }

  test('a missing path.', async () => {
    const place = await scene()
    const missing = join(place.dir, 'missing.db')
    const message = `read ${missing}: it does not exist; nothing was committed`
    for (const repository of ['repo.git', 'new.git'])
      await expectRefusal(place, ['backup', missing, '--repo', repository], { code: 'source', message })
  })

  test('a symlink to a missing path.', async () => {
    const place = await scene()
    symlinkSync('nowhere.db', join(place.dir, 'link.db'))
    const message = `read ${join(place.dir, 'link.db')}: it does not exist; nothing was committed`
    await expectRefusal(place, ['backup', 'link.db', '--repo', 'new.git'], { code: 'source', message })
  })

  test('a path below a file.', async () => {
    const place = await scene()
    const message = new RegExp(`read ${place.source}/x: .*ENOTDIR.*; nothing was committed`)
    await expectRefusal(place, ['backup', `${place.source}/x`, '--repo', 'new.git'], {
      code: 'source',
      message,
    })
  })

  test('a device.', async () => {
    const place = await scene()
    await expectRefusal(place, ['backup', '/dev/null', '--repo', 'new.git'], {
      code: 'source',
      message: /read \/dev\/null: [^\n]+; nothing was committed/,
    })
  })

  test('a directory without a database.', async () => {
    const place = await directoryScene()
    overwrite(join(place.source, 'app.db'), 0, Buffer.from('no magic'))
    const refusal = {
      code: 'source',
      message: `read ${place.source}: no SQLite database is in it; nothing was committed`,
      hint: 'name the data directory of the application, or the database file itself',
    } as const
    for (const repository of ['repo.git', 'new.git'])
      await expectRefusal(place, ['backup', 'data', '--repo', repository], refusal)
  })

  test('an empty directory.', async () => {
    const place = await directoryScene()
    mkdirSync(join(place.dir, 'empty'))
    await expectRefusal(place, ['backup', 'empty', '--repo', 'new.git'], {
      code: 'source',
      message: `read ${join(place.dir, 'empty')}: no SQLite database is in it; nothing was committed`,
    })
  })

  test('a directory with a database that is damaged.', async () => {
    const place = await directoryScene()
    overwrite(join(place.source, 'app.db'), 8 * page, Buffer.alloc(3 * page))
    const message = new RegExp(
      `read ${place.source}/app.db: it is corrupt: Tree 2 page \\d+: [^;]+; nothing was committed`,
    )
    await expectRefusal(place, ['backup', 'data', '--repo', 'repo.git'], { code: 'source', message })
  })

  test('a database that another process keeps locked.', async () => {
    const place = await scene()
    writeFileSync(join(place.dir, 'rowback.yaml'), 'busy-timeout: 0.2\n')
    const application = await openApplication(place.source, 'BEGIN EXCLUSIVE')
    const refusal = {
      code: 'source',
      message: `read ${place.source}: another process has kept it locked for 0.2 s; nothing was committed`,
      hint: 'raise busy-timeout in the settings, or stop the application',
    } as const
    for (const repository of ['repo.git', 'new.git'])
      await expectRefusal(place, ['backup', place.source, '--repo', repository], refusal)
    await application.end()
    const done = await rowback(['backup', place.source, '--repo', place.repository])
    expect(done.code).toBe(0)
  })
})

describe('a repository that cannot be used is refused and stays as it is:', () => {
  const another = 'name a repository of backups, or for a new one a directory that is missing or empty'

  const noBackup = (dir: string, commit: string) =>
    ({
      code: 'repository',
      message: `read ${dir}: commit ${commit.slice(0, 12)} is no backup of Rowback's`,
      hint: 'give the backups a repository of their own',
    }) as const

  for (const branch of ['main', 'master'])
    test(`a git repository with commits of somebody else on ${branch}.`, async () => {
      const place = await scene()
      const foreign = foreignRepository(join(place.dir, 'foreign'), branch)
      const commit = git(foreign, ['rev-parse', 'HEAD'])
      await expectRefusal(place, ['backup', place.source, '--repo', 'foreign'], noBackup('foreign', commit))
    })

  test('a git repository with commits of somebody else, for every other verb.', async () => {
    const place = await scene()
    const foreign = foreignRepository(join(place.dir, 'foreign'), 'main')
    const refusal = noBackup('foreign', git(foreign, ['rev-parse', 'HEAD']))
    for (const args of [
      ['show', 'latest'],
      ['diff', 'latest'],
      ['restore', 'latest', '--to', 'out'],
      ['restore', 'latest', '--file', 'hello.txt', '--output', 'out'],
      ['verify'],
    ])
      await expectRefusal(place, [...args, '--repo', 'foreign'], refusal)
  })

  test('a folder that holds other files.', async () => {
    const place = await scene()
    mkdirSync(join(place.dir, 'full'))
    writeFileSync(join(place.dir, 'full', 'file'), 'x')
    for (const args of [['backup', place.source], ['log'], ['show', 'latest'], ['verify'], ['push']])
      await expectRefusal(place, [...args, '--repo', 'full'], {
        code: 'repository',
        message: 'open repository full: it is not a git repository',
        hint: another,
      })
  })

  test('a repository that has lost its HEAD.', async () => {
    const place = await scene()
    rmSync(join(place.repository, 'HEAD'))
    for (const args of [['backup', place.source], ['log']])
      await expectRefusal(place, [...args, '--repo', 'repo.git'], {
        code: 'repository',
        message: 'open repository repo.git: it is not a git repository',
        hint: another,
      })
  })

  test('a file.', async () => {
    const place = await scene()
    writeFileSync(join(place.dir, 'file'), 'x')
    for (const args of [['backup', place.source], ['log'], ['restore', 'latest', '--to', 'out']])
      await expectRefusal(place, [...args, '--repo', 'file'], {
        code: 'repository',
        message: 'open repository file: it is no directory',
        hint: another,
      })
    for (const args of [['backup', place.source], ['log']])
      await expectRefusal(place, [...args, '--repo', 'file/repo.git'], {
        code: 'repository',
        message: 'open repository file/repo.git: what it is to be in is no directory',
        hint: another,
      })
  })

  test('a path that does not exist, for every verb that only reads.', async () => {
    const place = await scene()
    for (const args of [
      ['log'],
      ['show', 'latest'],
      ['diff', 'latest'],
      ['verify'],
      ['push'],
      ['restore', 'latest', '--to', 'out'],
    ])
      await expectRefusal(place, [...args, '--repo', 'none.git'], {
        code: 'repository',
        message: 'open repository none.git: it does not exist',
        hint: 'rowback backup SOURCE --repo none.git',
      })
  })

  test('a repository of another source.', async () => {
    const place = await scene()
    const other = databaseFrom('CREATE TABLE t(a)', join(place.dir, 'other.db'))
    await expectRefusal(place, ['backup', 'other.db', '--repo', 'repo.git'], {
      code: 'usage',
      message: `back up ${other}: repo.git holds the backups of ${place.source}; nothing was committed`,
      hint: `if the source has moved: git -C "repo.git" config rowback.source "${other}"`,
    })
    await expectRefusal(place, ['backup', 'data', '--repo', 'repo.git'], {
      code: 'usage',
      message: `back up ${join(place.dir, 'data')}: repo.git holds the backups of ${place.source}; nothing was committed`,
    })
  })

  test('a repository of a newer format.', async () => {
    const place = await scene()
    const commit = craftCommit(place.repository, {
      'manifest.json': (text) => text?.replace('"format": 1', '"format": 2'),
    })
    for (const args of [
      ['backup', place.source],
      ['show', 'latest'],
      ['diff', 'latest~1'],
      ['restore', 'latest', '--to', 'out'],
      ['restore', 'latest', '--file', 'app.db', '--output', 'out'],
      ['verify'],
    ])
      await expectRefusal(place, [...args, '--repo', 'repo.git'], {
        code: 'repository',
        message: `read ${commit.slice(0, 12)}: it is of format 2, this program reads 1`,
        hint: 'npm install --global rowback@latest',
      })
    git(place.repository, ['config', '--unset', 'rowback.source'])
    await expectRefusal(place, ['backup', place.source, '--repo', 'repo.git'], {
      code: 'repository',
      message: `read ${commit.slice(0, 12)}: it is of format 2, this program reads 1`,
    })
  })

  test('a repository that another backup is at work in.', async () => {
    const place = await scene()
    const owner = {
      pid: process.pid,
      host: hostname(),
      since: '2024-01-02T03:04:05Z',
    }
    writeFileSync(join(place.repository, 'rowback', 'lock'), JSON.stringify(owner))
    await expectRefusal(place, ['backup', place.source, '--repo', 'repo.git'], {
      code: 'repository',
      message: `lock repo.git: a backup by process ${process.pid} is running since 2024-01-02T03:04:05Z`,
      hint: `ps -p ${process.pid}`,
    })
  })

  test('a repository whose disk is full keeps its commits.', async () => {
    const disk = smallDisk('1m')
    if (!disk) return
    const place = await scene()
    const repository = join(disk.dir, 'repo.git')
    await backup({ source: place.source, repository })
    const db = new Database(place.source)
    db.exec(
      'CREATE TABLE noise(b); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<3000) INSERT INTO noise SELECT randomblob(1000) FROM n',
    )
    db.close()
    const before = state(disk.dir)
    await expectRefusal(place, ['backup', place.source, '--repo', repository], {
      code: 'repository',
      message: /[^\n]*no (?:room|space) left[^\n]*/,
    })
    expect(state(disk.dir)).toEqual(before)
    expect(git(repository, ['fsck', '--strict'])).toBe('')
  })
})

describe('a revision that names no backup is refused and nothing is written:', () => {
  const unknown = (rev: string) =>
    ({
      code: 'usage',
      message: `resolve ${JSON.stringify(rev)}: no such commit in repo.git`,
      hint: 'rowback log',
    }) as const

  test('one that does not exist.', async () => {
    const place = await scene()
    for (const rev of ['latest~1', 'deadbeef', '0'.repeat(40), 'HEAD:manifest.json', 'latest..latest', ' '])
      await expectRefusal(place, ['show', rev, '--repo', 'repo.git'], unknown(rev))
    for (const args of [
      ['diff', 'nothing'],
      ['diff', 'latest', 'nothing'],
      ['restore', 'nothing', '--to', 'out'],
      ['restore', 'nothing', '--file', 'app.db', '--output', 'out'],
      ['verify', 'nothing'],
    ])
      await expectRefusal(place, [...args, '--repo', 'repo.git'], unknown('nothing'))
  })

  test('one that looks like an option.', async () => {
    const place = await scene()
    for (const rev of ['--all', '-n1', '--output=out', '--end-of-options'])
      await expectRefusal(place, ['show', '--repo', 'repo.git', '--', rev], unknown(rev))
    for (const args of [['restore', '--to', 'out'], ['verify'], ['diff']])
      await expectRefusal(place, [...args, '--repo', 'repo.git', '--', '--all'], unknown('--all'))
  })

  test('a file that is not in it.', async () => {
    const place = await scene()
    for (const file of ['missing.png', 'app.db-wal', '../app.db', 'manifest.json'])
      await expectRefusal(
        place,
        ['restore', 'latest', '--file', file, '--output', 'out', '--repo', 'repo.git'],
        {
          code: 'usage',
          message: `restore latest: no database or asset ${JSON.stringify(file)} is in it; nothing was written`,
          hint: 'rowback show latest',
        },
      )
  })
})

describe('a target that cannot be used is refused and nothing is left there:', () => {
  const restore = (target: string) => ['restore', 'latest', '--to', target, '--repo', 'repo.git']
  const restoreFile = (output: string, file = 'app.db') => [
    'restore',
    'latest',
    '--file',
    file,
    '--output',
    output,
    '--repo',
    'repo.git',
  ]

  test('a directory that holds anything.', async () => {
    const place = await scene()
    mkdirSync(join(place.dir, 'out'))
    writeFileSync(join(place.dir, 'out', '.hidden'), '')
    await expectRefusal(place, restore('out'), {
      code: 'target',
      message: `restore to ${join(place.dir, 'out')}: it is not empty; it was left untouched`,
      hint: 'name a directory that is missing or empty',
    })
  })

  test('the source itself.', async () => {
    const place = await scene()
    await expectRefusal(place, restore('data'), {
      code: 'target',
      message: `restore to ${join(place.dir, 'data')}: it is not empty; it was left untouched`,
    })
  })

  test('a file where a directory is wanted, and one in the way of it.', async () => {
    const place = await scene()
    writeFileSync(join(place.dir, 'file'), 'x')
    for (const target of ['file', 'file/out'])
      await expectRefusal(place, restore(target), {
        code: 'target',
        message: new RegExp(
          `restore(?: latest)? to ${join(place.dir, target)}: it is occupied: [^\n]+; nothing was left there`,
        ),
      })
  })

  test('a dangling symlink.', async () => {
    const place = await scene()
    symlinkSync('nowhere', join(place.dir, 'out'))
    await expectRefusal(place, restore('out'), {
      code: 'target',
      message: new RegExp(
        `restore(?: latest)? to ${join(place.dir, 'out')}: it is occupied: [^\n]+; nothing was left there`,
      ),
    })
  })

  test('an empty directory that cannot be replaced: a mount point, or one behind a symlink.', async () => {
    const place = await scene()
    mkdirSync(join(place.dir, 'real'))
    symlinkSync('real', join(place.dir, 'link'))
    const disk = smallDisk('100k')
    for (const target of [join(place.dir, 'link'), ...(disk ? [disk.dir] : [])])
      await expectRefusal(place, restore(target), {
        code: 'target',
        message: `restore to ${target}: it is a mount point or a symlink, which cannot be replaced`,
        hint: `--to ${join(target, 'restored')}`,
      })
  })

  test('an output that exists, or whose -wal does.', async () => {
    const place = await scene()
    for (const [made, output] of [
      ['out.db', 'out.db'],
      ['new.db-wal', 'new.db'],
      ['old.db-journal', 'old.db'],
    ] as const) {
      writeFileSync(join(place.dir, made), 'x')
      await expectRefusal(place, restoreFile(output), {
        code: 'target',
        message: `restore to ${join(place.dir, output)}: ${join(place.dir, made)} exists; it was left untouched`,
        hint: 'name a file that does not exist',
      })
    }
  })

  test('a full disk.', async () => {
    const disk = smallDisk('1m')
    if (!disk) return
    const place = await scene(`${rows} CREATE TABLE big(id INTEGER PRIMARY KEY, b);
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<3000) INSERT INTO big SELECT i, randomblob(1000) FROM n;`)
    const out = join(disk.dir, 'a', 'out')
    for (const args of [restore(out), restoreFile(out)]) {
      await expectRefusal(place, args, {
        code: 'target',
        message: `restore latest to ${out}: no room left on the disk; nothing was left there`,
      })
      expect(contents(disk.dir)).toEqual([])
    }
  })

  test('a disk that is full before the last page of a database in WAL mode.', async () => {
    const place = await scene(`PRAGMA journal_mode=WAL; ${rows}`)
    const pages = readFileSync(place.source).length / page
    for (let size = pages - 1; size <= pages + 4; size++) {
      const disk = smallDisk(`${size * 4}k`)
      if (!disk) return
      const out = join(disk.dir, 'out')
      const { code, stderr } = await rowback(restore(out), { cwd: place.dir })
      if (code === 0) continue
      expect({ code, stderr }).toEqual({
        code: exitCodes.target,
        stderr: `rowback: restore latest to ${out}: no room left on the disk; nothing was left there\n`,
      })
      expect(contents(disk.dir)).toEqual([])
    }
  })

  test('a disk that has room for the database and not for the assets.', async () => {
    const disk = smallDisk('1m')
    if (!disk) return
    const place = await directoryScene()
    for (const name of ['a', 'b']) writeFileSync(join(place.source, `${name}.bin`), randomBytes(600_000))
    writeFileSync(join(place.source, 'huge.bin'), randomBytes(9_000_000))
    await backup({ source: place.source, repository: place.repository })
    const out = join(disk.dir, 'out')
    for (const args of [restore(out), restoreFile(out, 'huge.bin')]) {
      await expectRefusal(place, args, {
        code: 'target',
        message: `restore latest to ${out}: no room left on the disk; nothing was left there`,
      })
      expect(contents(disk.dir)).toEqual([])
    }
  })

  test('a read-only disk.', async () => {
    const disk = smallDisk('1m')
    if (!disk) return
    const place = await scene()
    mkdirSync(join(disk.dir, 'empty'))
    disk.seal()
    for (const args of [
      restore(join(disk.dir, 'out')),
      restore(join(disk.dir, 'empty')),
      restoreFile(join(disk.dir, 'out')),
    ])
      await expectRefusal(place, args, {
        code: 'target',
        message: new RegExp(
          `restore latest to ${disk.dir}/(?:out|empty): it cannot be written; nothing was left there`,
        ),
      })
  })

  test('a path that is too long for an asset is not called a full disk.', async () => {
    const place = await directoryScene()
    const folder = Array.from({ length: 15 }, () => 'd'.repeat(250)).join('/')
    mkdirSync(join(place.source, folder), { recursive: true })
    writeFileSync(join(place.source, folder, 'asset'), 'x')
    await backup({ source: place.source, repository: place.repository })
    const out = join(place.dir, 'o'.repeat(170), 'o'.repeat(170), 'out')
    const before = state(place.dir)
    const { code, stderr } = await rowback(restore(out), { cwd: place.dir })
    expect(code).toBe(exitCodes.target)
    expect(stderr).toMatch(/^rowback: restore latest to [^\n]*ENAMETOOLONG[^\n]*; nothing was left there\n$/)
    expect(state(place.dir)).toEqual(before)
  })
})

describe('a command that is not understood is refused:', () => {
  const message = (text: string | RegExp): Refusal => ({ code: 'usage', message: text })

  test('flags and arguments that no verb has.', async () => {
    const place = await scene()
    for (const [args, text] of [
      [['backup', 'data/app.db', '--repo', 'repo.git', '--frobnicate'], "unknown option '--frobnicate'"],
      [['frobnicate'], "unknown command 'frobnicate'"],
      [['log', '--repo'], "option '-r, --repo <dir>' argument missing"],
      [['show', '--repo', 'repo.git'], "missing required argument 'rev'"],
      [
        ['log', 'extra', '--repo', 'repo.git'],
        "too many arguments for 'log'. Expected 0 arguments but got 1.",
      ],
    ] as const)
      await expectRefusal(place, args, message(new RegExp(`${escaped(text)}[^\n]*`)))
  })

  test('flags whose values or company make no sense.', async () => {
    const place = await scene()
    const needs =
      'restore latest: it needs --to DIR, --file PATH or --table NAME and --output FILE, or --in-place'
    const repo = ['--repo', 'repo.git']
    const cases: [string[], string | RegExp][] = [
      [['log', ...repo, '-n', '0'], 'read -n "0": it is no count of commits'],
      [['log', ...repo, '-n', 'x'], 'read -n "x": it is no count of commits'],
      [
        ['backup', place.source, ...repo, '--author', 'nobody'],
        'read --author "nobody": it is not "Name <address>"',
      ],
      [
        ['backup', place.source, ...repo, '--time', 'teatime'],
        'read --time "teatime": it is no time since 1970',
      ],
      [
        ['backup', place.source, ...repo, '--time', '1969-01-01'],
        'read --time "1969-01-01": it is no time since 1970',
      ],
      [
        ['backup', place.source, ...repo, '--name', 'a\nb'],
        'read --name "a\\nb": holds a control character or line end',
      ],
      [['backup', place.source, ...repo, '--name', ' '], 'read --name " ": is empty'],
      [['backup', place.source, ...repo, '--author', 'Ada <>'], 'read --author "Ada <>": is empty'],
      [
        ['backup', place.source, ...repo, '--author', 'A\tB <a@b>'],
        'read --author "A\\tB <a@b>": holds a control character or line end',
      ],
      [['clone', 'repo.git', 'new.git', '--repo', 'x.git'], "unknown option '--repo'"],
      [['backup', ...repo], 'back up: neither an argument nor the settings name a source'],
      [['restore', 'latest', ...repo], needs],
      [['restore', 'latest', ...repo, '--to', 'out', '--file', 'app.db'], needs],
      [['restore', 'latest', ...repo, '--file', 'app.db'], needs],
      [['restore', 'latest', ...repo, '--output', 'out'], needs],
      [['restore', 'latest', ...repo, '--in-place', '--to', 'out'], needs],
      [['restore', 'latest', ...repo, '--to', 'out', '--force'], needs],
      [['push', ...repo], 'push repo.git: no remote is known'],
    ]
    for (const [args, text] of cases) await expectRefusal(place, args, message(text))
    expect(await rowback(['diff', 'latest', ...repo, '--sql', '--stat'], { cwd: place.dir })).toEqual({
      code: exitCodes.usage,
      stdout: '',
      stderr: "rowback: option '--sql' cannot be used with option '--stat'\nrowback: try: rowback --help\n",
    })
  })

  test('an empty value, which as a path would be the working directory.', async () => {
    const place = await scene()
    const repo = ['--repo', 'repo.git']
    const cases: [string, string[]][] = [
      ['SOURCE', ['backup', '', '--repo', 'new.git']],
      ['--repo', ['log', '--repo', '']],
      ['--repo', ['backup', place.source, '--repo', '']],
      ['--config', ['log', ...repo, '--config', '']],
      ['--name', ['backup', place.source, ...repo, '--name', '']],
      ['--extension', ['backup', place.source, ...repo, '--extension', '']],
      ['--remote', ['push', ...repo, '--remote', 'x.git', '--remote', '']],
      ['--to', ['restore', 'latest', ...repo, '--to', '']],
      ['--file', ['restore', 'latest', ...repo, '--file', '', '--output', 'out']],
      ['--output', ['restore', 'latest', ...repo, '--file', 'app.db', '--output', '']],
      ['REV', ['verify', ...repo, 'latest', '']],
      ['URL', ['clone', '', 'new.git']],
      ['DIR', ['clone', 'repo.git', '']],
    ]
    for (const [name, args] of cases)
      await expectRefusal(place, args, {
        code: 'usage',
        message: `read ${name} "": is empty`,
        hint: 'give it a value; a variable that is not set gives none',
      })
  })

  test('a path, where the working directory is gone; whole ones are taken.', async () => {
    const place = await scene()
    const run = (...args: string[]): Promise<Ended> =>
      program(
        'sh',
        ['-c', 'mkdir ../gone && cd ../gone && rmdir ../gone && exec "$@"', 'sh', ...command, ...args],
        {
          cwd: join(place.dir, 'tmp'),
        },
      )
    const command = [process.execPath, join(projectRoot, 'bin', 'rowback.js')]
    const repo = ['--repo', place.repository]
    for (const [name, path, args] of [
      ['SOURCE', '../data/app.db', ['backup', '../data/app.db', ...repo]],
      ['--repo', '../repo.git', ['log', '--repo', '../repo.git']],
      ['--to', 'out', ['restore', 'latest', ...repo, '--to', 'out']],
      ['--remote', '../b.git', ['push', ...repo, '--remote', '../b.git']],
    ] as const)
      expect(await run(...args)).toEqual({
        code: exitCodes.usage,
        stdout: '',
        stderr: `rowback: read ${name} "${path}": the working directory, where it starts, is gone; nothing was done\nrowback: try: cd to a directory, or give the whole path\n`,
      })
    const copy = join(place.dir, 'copy.git')
    expect(await run('clone', place.repository, copy)).toMatchObject({ code: 0, stderr: '' })
    change(place.source, 'DELETE FROM note WHERE id=1')
    const args = ['backup', place.source, ...repo, '--verify', 'always', '--remote', copy]
    expect(await run(...args)).toMatchObject({ code: 0, stderr: '' })
    expect(git(copy, ['rev-list', '--count', 'main'])).toBe('2')
  })

  test('no repository.', async () => {
    const place = await scene()
    for (const args of [
      ['backup', place.source],
      ['log'],
      ['show', 'latest'],
      ['diff', 'latest'],
      ['verify'],
      ['push'],
      ['restore', 'latest', '--to', 'out'],
    ])
      await expectRefusal(place, args, {
        code: 'usage',
        message: 'find repository: neither --repo nor the settings name one',
        hint: 'add --repo DIR',
      })
  })

  test('a remote that is no address, or shows a password.', async () => {
    const place = await scene()
    for (const remote of ['--upload-pack=touch x', 'ext::sh -c touch% x', 'https://me:hunter2@example.org/x'])
      for (const verb of [['backup', place.source], ['push']]) {
        const refusal = message(/(?:(?!hunter2)[^\n])+/)
        await expectRefusal(place, [...verb, '--repo', 'repo.git', '--remote', remote], refusal)
      }
  })

  test('a settings file with problems, all of them at once.', async () => {
    const place = await scene()
    writeFileSync(join(place.dir, 'rowback.yaml'), 'repository: [x]\nbusy-timeout: soon\nsorce: app.db\n')
    await expectRefusal(
      place,
      ['backup'],
      message(`read settings rowback.yaml: 3 problems
  rowback.yaml:1: repository: expected text, found a list
  rowback.yaml:2: busy-timeout: expected a number, found "soon"
  rowback.yaml:3: sorce: is not known; did you mean "source"?`),
    )
  })

  test('a settings file that is missing, a directory or no text.', async () => {
    const place = await scene()
    writeFileSync(join(place.dir, 'binary.yaml'), Buffer.from([0xff, 0xfe, 0x00]))
    for (const [file, cause] of [
      ['none.yaml', 'no such file'],
      ['data', 'it is a directory'],
      ['binary.yaml', 'it is not UTF-8 text'],
    ] as const)
      await expectRefusal(
        place,
        ['log', '--repo', 'repo.git', '--config', file],
        message(`read settings ${file}: ${cause}`),
      )
  })
})
