/** Restores over a live source: what they replace, what they refuse, and how `undo` takes them back. */

import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { backup } from '../../src/backup.ts'
import { exitCodes } from '../../src/errors.ts'
import { restoreInPlace, undo } from '../../src/in-place.ts'
import { isLocked, userOf } from '../../src/sqlite/in-use.ts'
import { contents, projectRoot, rowback as rowbackProcess } from '../support/cli.ts'
import { copiedPlace } from '../support/copied-place.ts'
import { allFacts, databaseFrom, openApplication } from '../support/database.ts'
import { git } from '../support/git.ts'
import { rowback, rowbackJson } from '../support/in-process.ts'
import { smallDisk } from '../support/mount.ts'
import { canRunAsNobody, nobody } from '../support/rights.ts'
import { tempDir } from '../support/temp.ts'

const rows = `CREATE TABLE note(id INTEGER PRIMARY KEY, text);
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<50) INSERT INTO note SELECT i, 'note '||i FROM n;`

interface Place {
  dir: string
  source: string
  database: string
  repository: string
}

/** A data directory with a backup, which has gone on since: rows, files and directories came, went and changed. */
async function place(journalMode: 'wal' | 'delete' = 'wal'): Promise<Place> {
  const dir = await madePlace[journalMode]()
  const source = join(dir, 'data')
  return { dir, source, database: join(source, 'app.db'), repository: join(dir, 'repo.git') }
}

const madePlace = {
  wal: copiedPlace((dir) => makePlace(dir, 'wal')),
  delete: copiedPlace((dir) => makePlace(dir, 'delete')),
}

async function makePlace(dir: string, journalMode: 'wal' | 'delete'): Promise<void> {
  const source = join(dir, 'data')
  mkdirSync(join(source, 'up', 'deep'), { recursive: true })
  mkdirSync(join(source, 'empty'))
  mkdirSync(join(source, 'cache'))
  const database = databaseFrom(`PRAGMA journal_mode=${journalMode}; ${rows}`, join(source, 'app.db'))
  databaseFrom(rows, join(source, 'second.db'))
  for (const name of ['same', 'changed', 'gone', 'up/deep/gone', 'folder-now'])
    writeFileSync(join(source, name), `${name} before`)
  symlinkSync('same', join(source, 'link'))
  writeFileSync(join(source, 'cache', 'thumb'), 'cached before')
  const repository = join(dir, 'repo.git')
  await backup({ source, repository, assets })
  goOn({ dir, source, database, repository })
}

const assets = { include: ['**'], exclude: ['cache/'] }

function goOn({ source, database }: Place): void {
  databaseFrom('DELETE FROM note WHERE id<10; INSERT INTO note(text) VALUES (randomblob(9000))', database)
  rmSync(join(source, 'second.db'))
  databaseFrom('CREATE TABLE other(a); INSERT INTO other VALUES (1);', join(source, 'third.db'))
  writeFileSync(join(source, 'changed'), 'changed since')
  rmSync(join(source, 'gone'))
  rmSync(join(source, 'up'), { recursive: true })
  mkdirSync(join(source, 'new', 'deep'), { recursive: true })
  writeFileSync(join(source, 'new', 'deep', 'file'), 'new')
  rmSync(join(source, 'folder-now'))
  mkdirSync(join(source, 'folder-now'))
  writeFileSync(join(source, 'folder-now', 'inner'), 'x')
  rmSync(join(source, 'link'))
  symlinkSync('changed', join(source, 'link'))
  writeFileSync(join(source, 'cache', 'thumb'), 'cached since')
}

/** All that a source holds: its files as they are, its databases by what they hold. */
function state(source: string): string[] {
  const databases = readdirSync(source).filter((name) => name.endsWith('.db'))
  // The time of a database and the times of directories are not kept.
  const files = contents(source, [
    ...databases.flatMap((name) => [name, `${name}-wal`, `${name}-shm`]),
    'cache',
  ])
  const toMicroseconds = (line: string): string => line.replace(/ (\d{16})\d{3} /, ' $1 ')
  return [
    ...files.map(toMicroseconds),
    ...databases.flatMap((name) => [name, ...allFacts(join(source, name))]),
  ]
}

const target = { rev: 'latest', assets }

describe('A restore in place', () => {
  test('leaves alone what --exclude names, as the backup did; so does undo', async () => {
    const dir = tempDir()
    const source = join(dir, 'data')
    mkdirSync(join(source, 'cache'), { recursive: true })
    databaseFrom(rows, join(source, 'app.db'))
    databaseFrom(rows, join(source, 'cache.db'))
    writeFileSync(join(source, 'cache', 'thumb'), 'cached')
    const flags = ['--repo', join(dir, 'repo.git'), '--exclude', 'cache/', '--exclude', 'cache.db']
    expect((await rowback(['backup', source, ...flags])).code).toBe(0)
    writeFileSync(join(source, 'since'), 'x')
    for (const verb of [['restore', 'latest', '--in-place'], ['undo']]) {
      expect(await rowback([...verb, ...flags])).toMatchObject({ code: 0 })
      expect(readdirSync(source).filter((name) => name !== 'since')).toEqual(['app.db', 'cache', 'cache.db'])
      expect(readdirSync(join(source, 'cache'))).toEqual(['thumb'])
    }
    expect(readdirSync(source)).toContain('since')
    const wrong = await rowback(['restore', 'latest', '--to', join(dir, 'out'), ...flags])
    expect(wrong).toMatchObject({ code: 2, stdout: '' })
    const bad = await rowback(['undo', ...flags, '--exclude', '../x'])
    expect(bad.code).toBe(2)
    expect(bad.stderr).toContain('read --exclude "../x": a glob cannot hold ".."')
  })

  test('writes nothing into a repository that lies inside the source, whatever the commit has there', async () => {
    const dir = tempDir()
    const [source, elsewhere] = [join(dir, 'data'), join(dir, 'repo.git')]
    const repository = join(source, 'own.git')
    mkdirSync(join(repository, 'hooks'), { recursive: true })
    writeFileSync(join(repository, 'hooks', 'reference-transaction'), '#!/bin/sh\n', { mode: 0o755 })
    writeFileSync(join(source, 'asset'), 'before')
    databaseFrom(rows, join(source, 'app.db'))
    await backup({ source, repository: elsewhere })
    rmSync(repository, { recursive: true })
    renameSync(elsewhere, repository)
    writeFileSync(join(source, 'asset'), 'since')
    await restoreInPlace({ rev: 'latest', repository })
    expect(readFileSync(join(source, 'asset'), 'utf8')).toBe('before')
    expect(existsSync(join(repository, 'hooks', 'reference-transaction'))).toBe(false)
  })

  for (const mode of ['wal', 'delete'] as const)
    test(`makes a directory what it was, and undo takes it back and forth, in ${mode} mode.`, async () => {
      const { dir, source, repository } = await place(mode)
      const out = join(dir, 'out')
      execFileSync('cp', ['-a', source, join(dir, 'since')])
      const since = state(join(dir, 'since'))
      await rowbackJson(['restore', 'latest', '--to', out, '--repo', repository])
      const tip = git(repository, ['rev-parse', 'main'])

      const result = await restoreInPlace({ repository, ...target })
      expect(result).toMatchObject({ target: source, databases: 2, rows: 100, warnings: [] })
      expect(state(source)).toEqual(state(out))
      expect(readFileSync(join(source, 'cache', 'thumb'), 'utf8')).toBe('cached since')
      expect(readdirSync(source).filter((name) => /-wal|-shm|-journal|rowback/.test(name))).toEqual([])
      expect(git(repository, ['rev-parse', 'main'])).toBe(tip)

      await undo({ repository, assets })
      expect(state(source)).toEqual(since)
      await undo({ repository, assets })
      expect(state(source)).toEqual(state(out))
      expect(git(repository, ['for-each-ref', '--format=%(refname)', 'refs/rowback'])).toBe(
        'refs/rowback/safety/1\nrefs/rowback/safety/2\nrefs/rowback/safety/3',
      )
      expect(git(repository, ['fsck', '--strict'])).toBe('')

      const after = await backup({ source, repository, assets })
      expect(git(repository, ['rev-parse', `${after.latest}:databases`])).toBe(
        git(repository, ['rev-parse', `${tip}:databases`]),
      )
    })

  test('keeps rows of excluded tables in its safety commit.', async () => {
    const { source, database, repository } = await place()
    const before = allFacts(database)
    await backup({ source, repository, assets, excludeTables: ['note'] })
    const { warnings } = await restoreInPlace({ repository, ...target })
    expect(warnings).toEqual([
      expect.stringMatching(
        /^table note of app\.db is empty now, as its backup left it out; refs\/rowback\/safety\/1 has the [\d,]+ rows that it had$/,
      ),
    ])
    expect(allFacts(database)).not.toEqual(before)
    await undo({ repository, assets })
    expect(allFacts(database)).toEqual(before)
  })

  test('leaves what is as it was alone, inode and all.', async () => {
    const { source, repository } = await place()
    const inode = statSync(join(source, 'same')).ino
    await restoreInPlace({ repository, ...target })
    expect(statSync(join(source, 'same')).ino).toBe(inode)
  })

  test('writes a file again that was written with the same size and time.', async () => {
    const { source, repository } = await place()
    const { atime, mtime } = statSync(join(source, 'same'))
    writeFileSync(join(source, 'same'), 'SAME before')
    const { utimesSync } = await import('node:fs')
    utimesSync(join(source, 'same'), atime, mtime)
    await restoreInPlace({ repository, ...target })
    expect(readFileSync(join(source, 'same'), 'utf8')).toBe('same before')
  })

  test('brings back names that are not UTF-8.', async () => {
    const { dir, source, repository } = await place()
    const odd = (path: string): Buffer => Buffer.from(join(source, path), 'latin1')
    mkdirSync(odd('f\xfcr'))
    writeFileSync(odd('f\xfcr/gr\xf6\xdfe'), 'before')
    symlinkSync(Buffer.from('gr\xf6\xdfe', 'latin1'), odd('f\xfcr/link'))
    await backup({ source, repository, assets })
    const before = join(dir, 'before')
    execFileSync('cp', ['-a', source, before])
    rmSync(odd('f\xfcr'), { recursive: true })
    writeFileSync(odd('n\xe4chste'), 'since')
    await restoreInPlace({ repository, ...target })
    expect(execFileSync('diff', ['-r', '--no-dereference', '-x', '*.db*', before, source]).toString()).toBe(
      '',
    )
  })

  test('leaves files alone whose content the commit does not hold.', async () => {
    const { source, repository } = await place()
    const photo = join(source, 'photo.jpg')
    writeFileSync(photo, 'a photo')
    const rules = [{ match: ['*.jpg'], store: 'manifest' as const }]
    await backup({ source, repository, assets: { ...assets, rules } })
    writeFileSync(photo, 'another photo')
    const { withoutContent } = await restoreInPlace({ repository, ...target })
    expect(withoutContent).toEqual([{ path: 'photo.jpg', kind: 'listed' }])
    expect(readFileSync(photo, 'utf8')).toBe('another photo')
    rmSync(photo)
    // What is only a line for a backup is saved before it might be replaced.
    await undo({ repository, assets })
    expect(readFileSync(photo, 'utf8')).toBe('another photo')
  })

  test('leaves a directory alone that could not be read when the commit was made.', async (context) => {
    if (!(await canRunAsNobody())) return context.skip()
    const { dir, source, repository } = await place()
    mkdirSync(join(source, 'closed', 'inner'), { recursive: true })
    writeFileSync(join(source, 'closed', 'inner', 'file'), 'inside')
    execFileSync('chown', ['-R', `${nobody}:${nobody}`, dir])
    chmodSync(join(source, 'closed'), 0)
    const run = (args: string[]) => rowbackProcess([...args, '--repo', repository], { uid: nobody })
    expect((await run(['backup', source])).code).toBe(exitCodes.source)
    const refused = await run(['restore', 'latest', '--in-place'])
    expect([refused.code, refused.stderr]).toEqual([
      exitCodes.source,
      expect.stringContaining('closed cannot be saved first, as it cannot be read'),
    ])
    chmodSync(join(source, 'closed'), 0o700)
    writeFileSync(join(source, 'changed'), 'once more')
    expect(await run(['restore', 'latest', '--in-place'])).toMatchObject({ code: 0 })
    expect(readFileSync(join(source, 'changed'), 'utf8')).toBe('changed since')
    expect(readFileSync(join(source, 'closed', 'inner', 'file'), 'utf8')).toBe('inside')
  })

  test('leaves a directory that would go where something is mounted on it.', async () => {
    const found = await place()
    const folder = join(found.source, 'new')
    if (smallDisk('100k') === undefined) return
    rmSync(folder, { recursive: true })
    mkdirSync(folder)
    execFileSync('mount', ['-t', 'tmpfs', 'rowback-test', folder])
    onTestFinished(() => void spawnSync('umount', ['--lazy', folder]))
    writeFileSync(join(folder, 'inner'), 'x')
    await restoreInPlace({ repository: found.repository, ...target })
    expect(readdirSync(folder)).toEqual([])
    await expect(undo({ repository: found.repository, assets })).rejects.toMatchObject({
      code: 'target',
      message: expect.stringContaining('is on another file system; it was left untouched'),
    })
  })

  test('keeps the modes of directories, whether globs name them or not, and what else they have set.', async () => {
    const dir = tempDir()
    const [source, repository] = [join(dir, 'data'), join(dir, 'repo.git')]
    for (const name of ['db', 'up', 'empty']) mkdirSync(join(source, name), { recursive: true })
    databaseFrom(rows, join(source, 'db', 'app.db'))
    writeFileSync(join(source, 'up', 'a.jpg'), 'before')
    chmodSync(join(source, 'db'), 0o700)
    chmodSync(join(source, 'up'), 0o2770)
    const modes = () =>
      ['db', 'up', 'empty'].map((name) => (statSync(join(source, name)).mode & 0o7777).toString(8))
    const before = modes()
    for (const include of [['*.jpg'], ['up/', 'empty/']]) {
      rmSync(repository, { recursive: true, force: true })
      writeFileSync(join(source, 'up', 'a.jpg'), 'before')
      const options = { repository, assets: { include, exclude: [] } }
      await backup({ source, ...options })
      writeFileSync(join(source, 'up', 'a.jpg'), 'after')
      await restoreInPlace({ rev: 'latest', ...options })
      expect(modes()).toEqual(before)
      expect(readFileSync(join(source, 'up', 'a.jpg'), 'utf8')).toBe('before')
      await undo(options)
      expect(modes()).toEqual(before)
    }
  })

  test('takes along what an application that died has left beside a database, and undo brings its rows back.', async () => {
    const { dir, source, repository, database } = await place('wal')
    const application = await openApplication(
      database,
      "PRAGMA wal_autocheckpoint=0; INSERT INTO note(text) VALUES ('only in the WAL');",
    )
    await application.kill()
    expect(readdirSync(source)).toContain('app.db-wal')
    writeFileSync(join(source, 'third.db-journal'), Buffer.alloc(512))

    await restoreInPlace({ repository, ...target })
    expect(readdirSync(source).filter((name) => /-wal|-shm|-journal/.test(name))).toEqual([])
    await rowbackJson(['restore', 'latest', '--to', join(dir, 'out'), '--repo', repository])
    expect(state(source)).toEqual(state(join(dir, 'out')))
    await undo({ repository, assets })
    expect(allFacts(database).join('\n')).toContain(Buffer.from('only in the WAL').toString('hex'))
  })

  test('of a file source replaces that file, whatever lies beside it, and keeps its name.', async () => {
    const dir = tempDir()
    const source = databaseFrom(rows, join(dir, 'app.db'))
    const repository = join(dir, 'repo.git')
    writeFileSync(join(dir, 'beside.txt'), 'x')
    await backup({ source, repository })
    const before = allFacts(source)
    databaseFrom('DELETE FROM note', source)
    const since = allFacts(source)
    const { stdout } = await rowback(['restore', 'latest', '--in-place', '--repo', repository])
    expect(stdout).toMatch(
      /^restored [0-9a-f]{10} in place of \S+app\.db: 1 database, 50 rows, 0 assets, in [\d.]+ s\n {2}what was there before is refs\/rowback\/safety\/1; rowback undo brings it back\n$/,
    )
    expect(allFacts(source)).toEqual(before)
    expect((await rowback(['undo', '--repo', repository])).code).toBe(0)
    expect(allFacts(source)).toEqual(since)
    expect(readdirSync(dir).sort()).toEqual(['app.db', 'beside.txt', 'repo.git'])
  })

  test('of a symlinked file replaces what it points at.', async () => {
    const dir = tempDir()
    mkdirSync(join(dir, 'real'))
    const real = databaseFrom(rows, join(dir, 'real', 'x.db'))
    symlinkSync(real, join(dir, 'app.db'))
    const repository = join(dir, 'repo.git')
    await backup({ source: join(dir, 'app.db'), repository })
    const before = allFacts(real)
    databaseFrom('DELETE FROM note', real)
    await restoreInPlace({ repository, ...target })
    expect(allFacts(real)).toEqual(before)
    expect(lstatSync(join(dir, 'app.db')).isSymbolicLink()).toBe(true)
    expect(readdirSync(join(dir, 'real'))).toEqual(['x.db'])
  })

  test('keeps owner and mode.', async (context) => {
    if (process.getuid?.() !== 0) return skip(context, 'it needs root to give files away')
    const { source, database, repository } = await place()
    chmodSync(database, 0o640)
    for (const name of ['app.db', 'changed']) chownSync(join(source, name), 1234, 4321)
    await restoreInPlace({ repository, ...target })
    expect(statSync(database)).toMatchObject({ uid: 1234, gid: 4321 })
    expect(statSync(database).mode & 0o777).toBe(0o640)
    expect(statSync(join(source, 'changed'))).toMatchObject({ uid: 1234, gid: 4321 })
  })

  test('is refused where the owner cannot be kept, and changes nothing.', async (context) => {
    if (process.getuid?.() !== 0) return skip(context, 'it needs root to give files away')
    const found = await place()
    const { dir, source, repository } = found
    execFileSync('chown', ['-R', '1234:1234', dir])
    chownSync(join(source, 'app.db'), 1235, 1235)
    chmodSync(join(source, 'app.db'), 0o666)
    chmodSync(dir, 0o755)
    const before = state(source)
    const { code, stderr } = await rowbackProcess(['restore', 'latest', '--in-place', '--repo', repository], {
      uid: 1234,
    })
    expect({ code, stderr }).toEqual({
      code: exitCodes.target,
      stderr: expect.stringMatching(
        /it belongs to 1235:1235, and this user may not give it away; it was left untouched\nrowback: try: run it as root/,
      ),
    })
    expect(state(source)).toEqual(before)
    execFileSync('chown', ['-R', '0:0', repository])
    expectNothingLeft(found)
  })

  test('works over a database that is damaged, and undo brings back its bytes.', async () => {
    const { source, database, repository } = await place('delete')
    const file = openSync(database, 'r+')
    writeSync(file, Buffer.alloc(4096, 0xff), 0, 4096, 4096)
    const damaged = readFileSync(database)
    const result = await restoreInPlace({ repository, ...target })
    expect(result.warnings).toEqual([expect.stringMatching(/^keep the bytes of .* as they are: .*corrupt/)])
    expect(execFileSync('sqlite3', [database, 'PRAGMA integrity_check']).toString()).toBe('ok\n')
    await undo({ repository, assets })
    expect(readFileSync(database).equals(damaged)).toBe(true)
    expect(existsSync(join(source, 'third.db'))).toBe(true)
  })

  test('works over a file that is no database any more.', async () => {
    const dir = tempDir()
    const source = databaseFrom(rows, join(dir, 'app.db'))
    const repository = join(dir, 'repo.git')
    await backup({ source, repository })
    const before = allFacts(source)
    writeFileSync(source, 'nothing')
    await restoreInPlace({ repository, ...target })
    expect(allFacts(source)).toEqual(before)
    await undo({ repository })
    expect(readFileSync(source, 'utf8')).toBe('nothing')
  })
})

describe('A restore in place is refused, and nothing is changed,', () => {
  async function expectRefusal(found: Place, code: keyof typeof exitCodes, text: RegExp): Promise<void> {
    const before = contents(found.source)
    const { code: ended, stderr } = await rowback(
      ['restore', 'latest', '--in-place', '--repo', found.repository],
      { cwd: found.dir },
    )
    expect({ code: ended, stderr }).toEqual({
      code: exitCodes[code],
      stderr: expect.stringMatching(text),
    })
    expect(contents(found.source)).toEqual(before)
    expectNothingLeft(found)
  }

  for (const mode of ['wal', 'delete'] as const)
    test(`while another process has a database open in ${mode} mode, unless it is forced.`, async (context) => {
      if (process.platform !== 'linux') return skip(context, 'it needs /proc')
      const found = await place(mode)
      await openApplication(found.database, 'SELECT count(*) FROM note')
      const before = contents(found.source)
      const args = ['restore', 'latest', '--in-place', '--repo', found.repository]
      const { code, stderr } = await rowback(args)
      expect({ code, stderr }).toEqual({
        code: exitCodes.source,
        stderr: expect.stringMatching(
          /^rowback: restore [0-9a-f]{10} in place of \S+: process \d+ \(sqlite3\) has \S+app\.db(?:-wal|-shm)? open; it was left untouched\nrowback: try: stop the application, or add --force\n$/,
        ),
      })
      expect(contents(found.source)).toEqual(before)
      expectNothingLeft(found)
      expect((await rowback([...args, '--force'])).code).toBe(0)
      expect(execFileSync('sqlite3', [found.database, 'SELECT min(id) FROM note']).toString()).toBe('1\n')
    })

  for (const [what, write] of Object.entries<(found: Place) => void>({
    'a row': ({ database }) => execFileSync('sqlite3', [database, 'INSERT INTO note(text) VALUES (1)']),
    'an asset that is replaced': ({ source }) => writeFileSync(join(source, 'changed'), 'changed again'),
    'an asset that goes': ({ source }) => writeFileSync(join(source, 'new', 'deep', 'file'), 'newer'),
    'an asset in the place of one that comes back': ({ source }) => writeFileSync(join(source, 'gone'), 'x'),
    'a symlink': ({ source }) => {
      rmSync(join(source, 'link'))
      symlinkSync('gone', join(source, 'link'))
    },
  }))
    test(`where ${what} was written after it was saved, unless it is forced.`, async () => {
      const found = await place()
      let written: string[] = []
      const onProgress = ({ phase }: { phase: string }): void => {
        if (phase !== 'replay' || written.length > 0) return
        write(found)
        written = liveFiles(found)
      }
      const options = { repository: found.repository, ...target, onProgress }
      await expect(restoreInPlace(options)).rejects.toMatchObject({
        code: 'source',
        message: expect.stringMatching(/ was written after it was saved; it was left untouched$/),
      })
      expect(written).not.toEqual([])
      expect(liveFiles(found)).toEqual(written)
      expectNothingLeft(found)
      written = []
      await restoreInPlace({ ...options, force: true })
      expect(execFileSync('sqlite3', [found.database, 'SELECT min(id) FROM note']).toString()).toBe('1\n')
    })

  test('where there is no room, while it is made.', async () => {
    const disk = smallDisk('2m')
    if (!disk) return
    const dir = tempDir()
    const source = join(disk.dir, 'data')
    mkdirSync(source)
    const database = join(source, 'app.db')
    const put = (): Buffer =>
      execFileSync('cp', [
        databaseFrom('CREATE TABLE big(b); INSERT INTO big VALUES (randomblob(1200000))'),
        database,
      ])
    put()
    const repository = join(dir, 'repo.git')
    await backup({ source, repository })
    put()
    await expectRefusal(
      { dir, source, database, repository },
      'target',
      /no room left on the disk; it was left untouched/,
    )
  })

  test('where a file is mounted in the way.', async () => {
    const found = await place()
    const small = smallDisk('100k')
    if (small === undefined) return
    const changed = join(found.source, 'changed')
    writeFileSync(join(small.dir, 'other'), 'mounted')
    execFileSync('mount', ['--bind', join(small.dir, 'other'), changed])
    onTestFinished(() => void spawnSync('umount', ['--lazy', changed]))
    await expectRefusal(
      found,
      'target',
      /^rowback: restore .*changed: what is there is a mount point; it was left untouched\n/,
    )
    execFileSync('umount', [changed])
  })

  test('where a directory that settings leave out is in the way.', async () => {
    const found = await place()
    rmSync(join(found.source, 'changed'))
    mkdirSync(join(found.source, 'changed', 'x.skip'), { recursive: true })
    writeFileSync(join(found.dir, 'rowback.yaml'), 'assets: {exclude: ["*.skip", "cache/"]}\n')
    await expectRefusal(
      found,
      'target',
      /restore changed: what is there is a directory that holds what is not restored/,
    )
  })

  test('where the repository does not say whose backups it holds, or the source is gone.', async () => {
    const found = await place()
    git(found.repository, ['config', '--unset', 'rowback.source'])
    await expectRefusal(found, 'usage', /does not name the source of its backups/)
    git(found.repository, ['config', 'rowback.source', found.source])
    renameSync(found.source, join(found.dir, 'moved'))
    const { code, stderr } = await rowback(['restore', 'latest', '--in-place', '--repo', found.repository])
    expect(code).toBe(exitCodes.target)
    expect(stderr).toContain('it does not exist; nothing was written')
  })

  test('and so is undo where nothing was restored.', async () => {
    const found = await place()
    const { code, stderr } = await rowback(['undo', '--repo', found.repository])
    expect({ code, stderr }).toEqual({
      code: exitCodes.usage,
      stderr: `rowback: undo: nothing was restored in place from ${found.repository}\nrowback: try: rowback restore REV --in-place\n`,
    })
  })
})

describe('Whether a database is open elsewhere', () => {
  for (const [mode, sql] of [
    ['wal', 'SELECT count(*) FROM note'],
    ['delete', 'BEGIN; SELECT count(*) FROM note'],
  ] as const)
    test(`is told by its locks in ${mode} mode.`, async () => {
      const file = databaseFrom(`PRAGMA journal_mode=${mode}; ${rows}`)
      expect(isLocked(file)).toBe(false)
      const application = await openApplication(file, sql)
      expect(isLocked(file)).toBe(true)
      await application.end()
      expect(isLocked(file)).toBe(false)
    })

  test('is told by the files of other processes, under whatever path.', async (context) => {
    if (process.platform !== 'linux') return skip(context, 'it needs /proc')
    const file = databaseFrom(rows)
    const other = join(tempDir(), 'other.db')
    execFileSync('ln', [file, other])
    expect(userOf([file])).toBeUndefined()
    const application = await openApplication(other, 'SELECT count(*) FROM note')
    expect(userOf([file])).toMatchObject({ name: 'sqlite3', file })
    await application.kill()
    expect(userOf([file])).toBeUndefined()
  })
})

describe('A restore in place that is killed', () => {
  const hook = join(projectRoot, 'test', 'support', 'kill-at.js')

  function args(verb: string, repository: string): string[] {
    return [
      '--import',
      hook,
      join(projectRoot, 'bin', 'rowback.js'),
      ...verb.split(' '),
      '--repo',
      repository,
    ]
  }

  async function run(found: Place, env: Record<string, string>): Promise<number | null> {
    writeFileSync(join(found.dir, 'rowback.yaml'), 'assets: {exclude: ["cache/"]}\n')
    const program = spawn(process.execPath, args('restore latest --in-place', found.repository), {
      cwd: found.dir,
      env: { ...process.env, ...env },
      stdio: 'ignore',
    })
    onTestFinished(() => void program.kill('SIGKILL'))
    const [code] = (await once(program, 'exit')) as [number | null]
    return code
  }

  /** Keeps source and repository as they are; what it returns puts both back. */
  function keep({ dir }: Place): () => void {
    const names = ['data', 'repo.git']
    for (const name of names) execFileSync('cp', ['-a', join(dir, name), join(dir, `${name}.kept`)])
    return () => {
      for (const name of names) {
        rmSync(join(dir, name), { recursive: true })
        execFileSync('cp', ['-a', join(dir, `${name}.kept`), join(dir, name)])
      }
    }
  }

  test('at each of its steps leaves the source old or new, or says how to go on; undo and another run both do.', async () => {
    const found = await place()
    const { dir, source, repository } = found
    const begin = keep(found)
    const before = state(source)
    const count = join(dir, 'count')
    expect(await run(found, { ROWBACK_COUNT_TO: count })).toBe(0)
    const wanted = state(source)
    const steps = Number(readFileSync(count, 'utf8'))
    expect(steps).toBeGreaterThan(50)
    const outcomes = { old: 0, new: 0, between: 0 }
    // The last steps are those that change the source.
    const isTried = (at: number): boolean =>
      process.env.ROWBACK_LONG !== undefined || at % 800 === 1 || (at > steps - 40 && at % 10 === 0)
    for (let at = 1; at <= steps; at++) {
      if (!isTried(at)) continue
      begin()
      expect(await run(found, { ROWBACK_KILL_AT: String(at) })).toBeNull()
      const left = state(source).filter((line) => !line.startsWith('.rowback-restore-'))
      const isBetween =
        existsSync(join(repository, 'rowback', 'in-place.json')) &&
        readFileSync(join(repository, 'rowback', 'in-place.json'), 'utf8').includes('"steps"')
      if (isBetween) outcomes.between += 1
      else if (String(left) === String(before)) outcomes.old += 1
      else {
        expect(left).toEqual(wanted)
        outcomes.new += 1
      }
      if (isBetween) {
        const refused = await rowback(['backup', source, '--repo', repository], { cwd: dir })
        expect({ at, code: refused.code, stderr: refused.stderr }).toEqual({
          at,
          code: exitCodes.source,
          stderr: expect.stringContaining('a restore in place of it was cut short'),
        })
      }
      const undoes = isBetween && at % 2 === 0
      const again = undoes ? ['undo'] : ['restore', 'latest', '--in-place']
      const { code, stderr } = await rowback([...again, '--repo', repository], { cwd: dir })
      expect({ at, code, stderr }).toEqual({ at, code: 0, stderr: '' })
      expect(state(source)).toEqual(undoes ? before : wanted)
      expect(existsSync(join(repository, 'rowback', 'in-place.json'))).toBe(false)
      expect(git(repository, ['fsck', '--strict', '--no-dangling'])).toBe('')
    }
    expect(outcomes.old).toBeGreaterThan(0)
    expect(outcomes.between).toBeGreaterThan(0)
  })

  test('or told to stop once it has said what it will do goes on, and loses nothing.', async () => {
    const found = await place()
    const { dir, source, repository } = found
    const before = state(source)
    expect(await run(found, { ROWBACK_STOP_BEHIND: 'in-place.json', ROWBACK_STOP_TIMES: '2' })).toBe(130)
    expect(readFileSync(join(repository, 'rowback', 'in-place.json'), 'utf8')).toContain('"steps"')
    expect(state(source).filter((line) => !line.startsWith('.rowback-restore-'))).toEqual(before)
    const refused = await rowback(['backup', source, '--repo', repository], { cwd: dir })
    expect(refused).toMatchObject({ code: exitCodes.source })
    const again = await rowback(['restore', 'latest', '--in-place', '--repo', repository], { cwd: dir })
    expect(again).toMatchObject({ code: 0, stderr: '' })
    expect(execFileSync('sqlite3', [found.database, 'SELECT min(id) FROM note']).toString()).toBe('1\n')
    expect(await rowback(['undo', '--repo', repository], { cwd: dir })).toMatchObject({ code: 0, stderr: '' })
    expect(state(source)).toEqual(before)
  })

  test('does not go on over what was written since, unless it is forced.', async () => {
    const found = await place()
    const { dir, source, repository } = found
    expect(await run(found, { ROWBACK_STOP_BEHIND: 'in-place.json', ROWBACK_STOP_TIMES: '2' })).toBe(130)
    execFileSync('sqlite3', [found.database, "INSERT INTO note(text) VALUES ('since')"])
    const before = state(source)
    for (const verb of [['undo'], ['restore', 'latest', '--in-place']]) {
      const { code, stderr } = await rowback([...verb, '--repo', repository], { cwd: dir })
      expect({ code, stderr }).toEqual({
        code: exitCodes.source,
        stderr: expect.stringMatching(
          /: app\.db was written after it was saved; it was left half replaced\nrowback: try: copy it away; then --force goes on, and loses what was written\n$/,
        ),
      })
    }
    expect(state(source)).toEqual(before)
    expect(await rowback(['undo', '--force', '--repo', repository], { cwd: dir })).toMatchObject({ code: 0 })
    expect(existsSync(join(repository, 'rowback', 'in-place.json'))).toBe(false)
  })

  test('while it is made is cleared away by the next backup.', async () => {
    const found = await place()
    const { dir, source, repository } = found
    const count = join(dir, 'count')
    const begin = keep(found)
    expect(await run(found, { ROWBACK_COUNT_TO: count })).toBe(0)
    begin()
    const steps = Number(readFileSync(count, 'utf8'))
    expect(await run(found, { ROWBACK_KILL_AT: String(Math.floor(steps / 2)) })).toBeNull()
    expect(readdirSync(source).some((name) => name.startsWith('.rowback-restore-'))).toBe(true)
    await backup({ source, repository, assets })
    expectNothingLeft(found)
  })
})

/** What an application sees of its files; a WAL that nobody reads any more has gone into its database. */
function liveFiles({ source }: Place): string[] {
  const files = contents(source, ['app.db-shm', 'app.db-wal'])
  return files.filter((line) => !line.startsWith('.rowback-restore-'))
}

/** Nothing of a restore that came to nothing is left, but for the safety commits of others before. */
function expectNothingLeft({ source, repository }: Place): void {
  expect(readdirSync(source).filter((name) => name.startsWith('.rowback'))).toEqual([])
  expect(existsSync(join(repository, 'rowback', 'in-place.json'))).toBe(false)
  expect(git(repository, ['for-each-ref', '--format=%(refname)', 'refs/rowback'])).toBe('')
}

function skip(context: { skip(note: string): void }, reason: string): void {
  if (process.env.CI) throw new Error(`a test cannot run: ${reason}`)
  console.warn(`SKIPPED, ${reason}`)
  context.skip(reason)
}
