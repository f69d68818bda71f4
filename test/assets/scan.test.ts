import { execFileSync } from 'node:child_process'
import { chmodSync, lstatSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type ScanOptions, scanSource } from '../../src/assets/scan.ts'
import { testDirectory, withoutPrivilege, writeTree } from './test-directory.ts'

function scan(root: string, options: Partial<ScanOptions> = {}) {
  return scanSource(root, { include: ['**'], exclude: [], ...options })
}

/** The paths that a scan keeps as assets. */
async function assetPaths(root: string, options: Partial<ScanOptions> = {}): Promise<string[]> {
  return (await scan(root, options)).assets.map(({ path }) => path)
}

/** A path below a directory whose characters stand for a byte each. */
function bytesPath(root: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, 'latin1')])
}

/** A database with one table, which is left open in WAL mode until the test ends. */
function openDatabase(file: string): void {
  const db = new Database(file)
  db.pragma('journal_mode=WAL')
  db.exec('CREATE TABLE t(a); INSERT INTO t VALUES (1)')
  onTestFinished(() => {
    db.close()
  })
}

describe('scanSource', () => {
  it('does not read files that are known to be assets', async () => {
    const root = testDirectory()
    writeTree(root, { known: 'SQLite format 3\0', other: 'SQLite format 3\0' })
    const isKnownAsset = (path: string): boolean => path === 'known'
    const scanned = await scan(root, { isKnownAsset })
    expect(scanned.assets.map(({ path }) => path)).toEqual(['known'])
    expect(scanned.databases).toEqual(['other'])
  })

  it('tells databases from assets by their magic, and leaves out what belongs to a database', async () => {
    const root = testDirectory()
    writeTree(root, {
      'notes.db': 'no database',
      'notes.db-wal': 'an asset',
      'short.sqlite': 'SQLite format 3',
      empty: '',
      'data/': '',
      'a-journal': '',
    })
    openDatabase(join(root, 'data/app'))
    openDatabase(join(root, 'main.db'))
    writeFileSync(join(root, 'main.db-journal'), '')
    expect(lstatSync(join(root, 'data/app-wal')).isFile()).toBe(true)
    const found = await scan(root)
    expect(found.databases).toEqual(['data/app', 'main.db'])
    expect(found.assets.map(({ path }) => path)).toEqual([
      'a-journal',
      'empty',
      'notes.db',
      'notes.db-wal',
      'short.sqlite',
    ])
    expect(found.warnings).toEqual([])
  })

  it('reports kind, size, mode and time as they are', async () => {
    const root = testDirectory()
    writeTree(root, { 'a.txt': 'twelve bytes' })
    execFileSync('touch', ['-d', '@1700000000.123456789', join(root, 'a.txt')])
    chmodSync(join(root, 'a.txt'), 0o4640)
    symlinkSync('../else where', join(root, 'link'))
    const { assets } = await scan(root)
    expect(assets[0]).toEqual({
      path: 'a.txt',
      kind: 'file',
      size: 12,
      mode: 0o640,
      mtimeNs: 1700000000123456789n,
    })
    expect(assets[1]).toMatchObject({ path: 'link', kind: 'symlink', size: 0, target: '../else where' })
  })

  it('sorts by the bytes of the path', async () => {
    const root = testDirectory()
    writeTree(root, { 'a/b': '', 'a-b': '', 'a.b': '', '\uffff': '', '😀': '', é: '', Z: '', a0: '' })
    expect(await assetPaths(root)).toEqual(['Z', 'a-b', 'a.b', 'a/b', 'a0', 'é', '\uffff', '😀'])
  })

  it('lists a directory that is empty, or whose mode is not 0755, but never the source itself', async () => {
    const root = testDirectory()
    writeTree(root, { 'empty/': '', 'full/a': '', 'private/a': '', 'deep/er/': '', 'closed/': '' })
    chmodSync(join(root, 'private'), 0o2700)
    chmodSync(join(root, 'closed'), 0o500)
    chmodSync(root, 0o711)
    const { assets } = await scan(root)
    expect(assets.filter(({ kind }) => kind === 'directory').map(({ path, mode }) => [path, mode])).toEqual([
      ['closed', 0o500],
      ['deep/er', 0o755],
      ['empty', 0o755],
      ['private', 0o700],
    ])
  })

  it('keeps as empty a directory of which nothing is kept, and not one that holds a database', async () => {
    const root = testDirectory()
    writeTree(root, { 'cache/a': '', 'run/': '', 'db/': '' })
    openDatabase(join(root, 'db/app.db'))
    execFileSync('mkfifo', [join(root, 'run/pipe')])
    expect(await assetPaths(root, { exclude: ['cache/*'] })).toEqual(['cache', 'run'])
  })

  it('follows no symlink, but the source may be one', async () => {
    const root = testDirectory()
    const other = testDirectory()
    writeTree(other, { 'secret/x': '' })
    openDatabase(join(other, 'app.db'))
    symlinkSync(other, join(root, 'out'))
    symlinkSync(join(other, 'app.db'), join(root, 'app.db'))
    symlinkSync('.', join(root, 'loop'))
    symlinkSync('nowhere', join(root, 'broken'))
    const found = await scan(root)
    expect(found.databases).toEqual([])
    expect(found.assets.map(({ path, kind }) => [path, kind])).toEqual(
      ['app.db', 'broken', 'loop', 'out'].map((path) => [path, 'symlink']),
    )
    expect((await scan(join(root, 'out'))).databases).toEqual(['app.db'])
    expect(await assetPaths(join(root, 'out'))).toEqual(['secret/x'])
  })

  it('warns of a socket and a fifo', async () => {
    const root = testDirectory()
    const server = createServer()
    await new Promise<void>((resolve) => {
      server.listen(join(root, 'app.sock'), resolve)
    })
    onTestFinished(() => {
      server.close()
    })
    execFileSync('mkfifo', [join(root, 'a pipe')])
    const found = await scan(root)
    expect(found).toEqual({
      databases: [],
      assets: [],
      warnings: ['skip "a pipe": it is a fifo', 'skip app.sock: it is a socket'],
    })
    expect((await scan(root, { exclude: ['*'] })).warnings).toEqual([])
  })

  it('walks a tree as deep as paths may be', async () => {
    const root = testDirectory()
    const deep = 'd/'.repeat(Math.floor((4000 - root.length) / 2))
    mkdirSync(join(root, deep), { recursive: true })
    expect(await assetPaths(root)).toEqual([deep.slice(0, -1)])
  })
})

describe('names that are not UTF-8', () => {
  it('stand as lone surrogates in paths and targets, sorted by their bytes', async () => {
    const root = testDirectory()
    for (const path of ['caf\xe9', 'caf\xc3\xa9', 'd\xff', 'caf\xf0', 'caf\xe9\xc3\xa9\x80'])
      writeFileSync(bytesPath(root, path), path)
    mkdirSync(bytesPath(root, 'up\xe9/\xfe'), { recursive: true })
    writeFileSync(bytesPath(root, 'up\xe9/\xfe/x'), '')
    symlinkSync(Buffer.from('to \xe9', 'latin1'), join(root, 'link'))
    expect(await assetPaths(root)).toEqual([
      'caf\u00e9',
      'caf\udce9',
      'caf\udce9\u00e9\udc80',
      'caf\udcf0',
      'd\udcff',
      'link',
      'up\udce9/\udcfe/x',
    ])
    expect((await scan(root)).assets.find(({ path }) => path === 'link')?.target).toBe('to \udce9')
    expect(await assetPaths(root, { exclude: ['caf?', '/up?/', 'd*', 'caf??\udc80'] })).toEqual(['link'])
  })
})

describe('include and exclude', () => {
  const tree = {
    'icons/a.png': '',
    'icons/b.txt': '',
    'icons/more/c': '',
    'cache/x': '',
    'settings.json': '',
    'd/': '',
  }

  it('include files, and directories with all below', async () => {
    const root = testDirectory()
    writeTree(root, tree)
    expect(await assetPaths(root, { include: ['icons'] })).toEqual([
      'icons/a.png',
      'icons/b.txt',
      'icons/more/c',
    ])
    expect(await assetPaths(root, { include: ['icons/'] })).toEqual([
      'icons/a.png',
      'icons/b.txt',
      'icons/more/c',
    ])
    expect(await assetPaths(root, { include: ['*.png', '*.json'] })).toEqual(['icons/a.png', 'settings.json'])
    expect(await assetPaths(root, { include: [] })).toEqual([])
  })

  it('exclude wins, and an excluded directory is not entered', async () => {
    const root = testDirectory()
    writeTree(root, tree)
    const exclude = ['cache/', 'icons/more', '*.txt', 'd']
    expect(await assetPaths(root, { exclude })).toEqual(['icons/a.png', 'settings.json'])
  })

  it('keep the mode of a directory of which anything is kept', async () => {
    const root = testDirectory()
    writeTree(root, { 'private/a.png': '', 'other/a.txt': '' })
    chmodSync(join(root, 'private'), 0o700)
    chmodSync(join(root, 'other'), 0o700)
    expect(await assetPaths(root, { include: ['*.png'] })).toEqual(['private', 'private/a.png'])
  })

  it('leave out what has the name of a file of a database, and say so where it is none', async () => {
    const root = testDirectory()
    openDatabase(join(root, 'app.db'))
    new Database(join(root, 'closed.db')).exec('CREATE TABLE t(a)').close()
    writeTree(root, { 'closed.db-shm/file': 'x' })
    symlinkSync('app.db', join(root, 'closed.db-wal'))
    const { databases, assets, warnings } = await scan(root)
    expect(databases).toEqual(['app.db', 'closed.db'])
    expect(assets).toEqual([])
    expect(warnings).toEqual([
      'skip closed.db-shm: it has the name of a file of a database beside it',
      'skip closed.db-wal: it has the name of a file of a database beside it',
    ])
  })

  it('find databases whatever is included, but not excluded ones nor what belongs to them', async () => {
    const root = testDirectory()
    openDatabase(join(root, 'app.db'))
    openDatabase(join(root, 'jobs.db'))
    writeTree(root, { 'draft-journal': '', draft: '' })
    const found = await scan(root, { include: ['draft*'], exclude: ['jobs.db', 'draft'] })
    expect(found.databases).toEqual(['app.db'])
    expect(found.assets.map(({ path }) => path)).toEqual(['draft-journal'])
    expect((await scan(root, { exclude: ['jobs.db'] })).assets.map(({ path }) => path)).toEqual([
      'draft',
      'draft-journal',
    ])
  })

  it('leave out the directories to skip, by whatever path they are given', async () => {
    const root = testDirectory()
    writeTree(root, { 'backup.git/HEAD': '', a: '' })
    symlinkSync(root, join(root, 'self'))
    const skip = [join(root, 'self/backup.git'), join(root, 'nowhere')]
    expect(await assetPaths(root, { skip })).toEqual(['a', 'self'])
  })
})

describe('what cannot be read', () => {
  const denied = (path: string) => ({
    path,
    kind: 'unreadable',
    size: 0,
    mode: 0,
    mtimeNs: 0n,
    problem: 'permission denied',
  })

  it('is a file or directory that is an asset of its own kind, unless excluded', async () => {
    const root = testDirectory()
    writeTree(root, { 'a/b': 'sixteen bytes and more', 'a/c': '', 'd/e': '' })
    chmodSync(join(root, 'a/b'), 0)
    chmodSync(join(root, 'd'), 0)
    await withoutPrivilege(async () => {
      const { assets } = await scan(root)
      expect(assets.map(({ path }) => path)).toEqual(['a/b', 'a/c', 'd'])
      expect([assets[0], assets[2]]).toEqual([denied('a/b'), denied('d')])
      expect(await assetPaths(root, { exclude: ['/d', 'b'] })).toEqual(['a/c'])
    })
  })

  it('stops the scan where it is a database', async () => {
    const root = testDirectory()
    openDatabase(join(root, 'app.db'))
    chmodSync(join(root, 'app.db'), 0)
    await withoutPrivilege(() =>
      expect(scan(root)).rejects.toMatchObject({
        code: 'source',
        message: 'read app.db: permission denied; nothing was committed',
        hint: expect.stringContaining('exclude: ["/app.db"]'),
      }),
    )
  })

  it('is a source that may not be read', async () => {
    const root = testDirectory()
    chmodSync(root, 0o711)
    await withoutPrivilege(() =>
      expect(scan(root)).rejects.toMatchObject({
        code: 'source',
        message: 'read source: permission denied; nothing was committed',
        hint: 'let this user read it',
      }),
    )
  })

  it('is a directory with a path that is longer than a manifest takes', async () => {
    const root = testDirectory()
    const name = 'd'.repeat(250)
    const start = process.cwd()
    onTestFinished(() => process.chdir(start))
    process.chdir(root)
    for (let depth = 0; depth < 16; depth++) {
      mkdirSync(name)
      process.chdir(name)
    }
    writeFileSync('f'.repeat(250), 'x')
    writeFileSync('short', 'x')
    mkdirSync('e'.repeat(250))
    // One in it that can be read, and holds such a path itself.
    mkdirSync('s')
    writeFileSync(join('s', 'g'.repeat(248)), 'x')
    const path = Array(16).fill(name).join('/')
    const { assets } = await scan(root)
    expect(assets.map((asset) => [asset.path, asset.kind])).toEqual([[path, 'unreadable']])
    expect(assets[0]?.problem).toContain('ENAMETOOLONG')
  })

  it('is a directory whose files cannot be looked at', async () => {
    const root = testDirectory()
    writeTree(root, { 'c/d': '' })
    chmodSync(join(root, 'c'), 0o644)
    await withoutPrivilege(async () => {
      expect((await scan(root)).assets).toContainEqual(denied('c/d'))
    })
  })

  it('leaves out, with an excluded database that cannot be read, what belongs to it', async () => {
    const root = testDirectory()
    openDatabase(join(root, 'app.db'))
    chmodSync(join(root, 'app.db'), 0)
    await withoutPrivilege(async () => {
      expect(await scan(root, { exclude: ['app.db'] })).toEqual({ databases: [], assets: [], warnings: [] })
    })
  })

  it('is a database whose path is not UTF-8', async () => {
    const root = testDirectory()
    writeFileSync(bytesPath(root, 'app-\xe9.db'), 'SQLite format 3\0')
    await expect(scan(root)).rejects.toMatchObject({
      code: 'source',
      message:
        'read "app-\\udce9.db": it is a database, and its path is not valid UTF-8; nothing was committed',
      hint: 'exclude it in the settings: assets: { exclude: ["/app-?.db"] }',
    })
    expect(await assetPaths(root, { exclude: ['/app-?.db'] })).toEqual([])
  })

  it('is a source that is missing or no directory', async () => {
    const root = testDirectory()
    writeTree(root, { a: '' })
    await expect(scan(join(root, 'b'))).rejects.toMatchObject({
      code: 'source',
      message: `read ${join(root, 'b')}: no such directory`,
    })
    await expect(scan(join(root, 'a'))).rejects.toMatchObject({
      code: 'source',
      message: `read ${join(root, 'a')}: it is no directory`,
    })
  })

  it('is not what comes and goes during the scan', async () => {
    const root = testDirectory()
    for (let i = 0; i < 50; i++) writeTree(root, { [`d${i}/a`]: '', [`d${i}/b/c`]: 'sixteen bytes and more' })
    let running = true
    const churn = (async () => {
      for (let i = 0; running; i = (i + 1) % 50) {
        rmSync(join(root, `d${i}/b`), { recursive: true })
        renameSync(join(root, `d${i}/a`), join(root, `d${i}/x`))
        await new Promise(setImmediate)
        writeTree(root, { [`d${i}/a`]: '', [`d${i}/b/c`]: 'sixteen bytes and more' })
      }
    })()
    for (let i = 0; i < 30; i++) expect((await scan(root)).assets.length).toBeGreaterThan(50)
    running = false
    await churn
  })
})
