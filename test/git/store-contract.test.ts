/** What every engine behind `Store` does, and that both do the same. */

import { chmod, mkdir, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createStore } from '../../src/git/create-store.ts'
import { engineOf } from '../../src/git/engine.ts'
import { openStore } from '../../src/git/open-store.ts'
import { git } from '../../src/git/run.ts'
import type { Store } from '../../src/git/store.ts'
import { blobOid, objectOid, type TreeEntry, treeOid } from '../../src/git/tree.ts'
import { smallDisk } from '../support/mount.ts'
import { author, commitFiles, setEnv, stockGit, testdir, testStore, traces } from './testdir.ts'
import { treeEntries } from './tree-entries.ts'

const missing = 'dead'.repeat(10)

const commit = { add: [] as TreeEntry[], remove: [] as string[], message: 'm\n', author, time: 1 }

function entry(path: string, content: Buffer | string, mode: TreeEntry['mode'] = '100644'): TreeEntry {
  return { path, mode, oid: blobOid(Buffer.from(content)) }
}

/** Makes a commit without files that no ref names. */
async function emptyCommit(store: Store, time: number, parents: readonly string[]): Promise<string> {
  await stockGit(store.dir, 'hash-object', '-w', '-t', 'tree', '/dev/null')
  const file = join(store.gitDir, 'commit')
  const line = `A <a@example.org> ${time} +0000`
  const head = [`tree ${treeOid([])}`, ...parents.map((oid) => `parent ${oid}`)]
  await writeFile(file, `${[...head, `author ${line}`, `committer ${line}`].join('\n')}\n\nm\n`)
  return stockGit(store.dir, 'hash-object', '-w', '-t', 'commit', file)
}

describe.each(['native', 'embedded'] as const)('the %s engine', (engine) => {
  test('a new store is a private bare repository without commits', async () => {
    const store = await testStore({ engine })
    expect(await store.tip()).toBeUndefined()
    expect(store.branch).toBe('main')
    expect((await stat(store.dir)).mode & 0o777).toBe(0o700)
    expect(await stockGit(store.dir, 'rev-parse', '--is-bare-repository')).toBe('true')
    expect(await stockGit(store.dir, 'symbolic-ref', 'HEAD')).toBe('refs/heads/main')
    expect(await stockGit(store.dir, 'fsck')).toBe('')
  })

  test('createStore makes parent directories and takes an empty one, whose mode it keeps', async () => {
    const dir = await testdir()
    await createStore(join(dir, 'a', 'b.git'), { engine, branch: 'backups/app' })
    expect(await stockGit(join(dir, 'a', 'b.git'), 'symbolic-ref', 'HEAD')).toBe('refs/heads/backups/app')
    await mkdir(join(dir, 'empty'))
    await chmod(join(dir, 'empty'), 0o750)
    await createStore(join(dir, 'empty'), { engine })
    expect((await stat(join(dir, 'empty'))).mode & 0o777).toBe(0o750)
  })

  test('createStore leaves a directory that holds anything untouched', async () => {
    const dir = await testdir()
    await writeFile(join(dir, 'file'), '')
    await expect(createStore(dir, { engine })).rejects.toMatchObject({
      code: 'repository',
      message: `create repository ${dir}: it is not empty; it was left untouched`,
    })
    await expect(createStore(join(dir, 'file'), { engine })).rejects.toMatchObject({ code: 'repository' })
    expect(await stat(join(dir, 'HEAD')).catch(() => 'none')).toBe('none')
  })

  test.each(['-x', 'a..b', 'a b', '', 'x\0y', 'a/'])('a branch may not be named %j', async (branch) => {
    const dir = join(await testdir(), 'repo.git')
    await expect(createStore(dir, { engine, branch })).rejects.toMatchObject({ code: 'usage' })
    expect(await stat(dir).catch(() => 'none')).toBe('none')
  })

  test('openStore says what is wrong with a directory', async () => {
    const dir = await testdir()
    await writeFile(join(dir, 'file'), '')
    await mkdir(join(dir, 'half', 'objects'), { recursive: true })
    await stockGit(dir, 'init', '--quiet', '--bare', '--object-format=sha256', 'sha256')
    const cases = {
      none: 'it does not exist',
      file: 'it is no directory',
      half: 'it is not a git repository',
      sha256: 'its object ids are sha256, only sha1 is supported',
    }
    for (const [name, cause] of Object.entries(cases)) {
      const path = join(dir, name)
      const message = `open repository ${path}: ${cause}`
      await expect(openStore(path, { engine })).rejects.toMatchObject({ code: 'repository', message })
    }
  })

  test('openStore never takes a parent directory for the repository', async () => {
    const dir = await testdir()
    await stockGit(dir, 'init', '--quiet')
    await mkdir(join(dir, 'inside'))
    await expect(openStore(join(dir, 'inside'), { engine })).rejects.toThrow('it is not a git repository')
  })

  test('openStore reads a repository with work trees, from each of them', async () => {
    const dir = await testdir()
    const main = join(dir, 'main')
    await stockGit(dir, 'init', '--quiet', '--initial-branch=trunk', main)
    await commitFiles(await openStore(main, { engine }), { a: '1' })
    await stockGit(main, 'worktree', 'add', '--quiet', '-b', 'other', '../linked')
    const [here, linked] = [
      await openStore(main, { engine }),
      await openStore(join(dir, 'linked'), { engine, branch: 'trunk' }),
    ]
    expect(here.branch).toBe('trunk')
    expect(linked.gitDir).toBe(here.gitDir)
    expect(await linked.tip()).toBe(await here.tip())
  })

  test('a commit can be read back: tree, blobs, sizes, message', async () => {
    const store = await testStore({ engine })
    const files = { 'b/2': 'two', 'b/1': '', a: 'x\0y', 'c d/"\\\n': 'odd', 'é/ü': 'utf-8' }
    const oid = await commitFiles(store, files, { message: 'app: new\n\nbody\n\nRows: 1\n' })
    expect(await store.readCommit(oid)).toMatchObject({
      parents: [],
      author: { name: 'Ada Lovelace', email: 'ada@example.org', time: 1_700_000_000, timezone: '+0000' },
      subject: 'app: new',
      trailers: new Map([['Rows', '1']]),
    })
    const tree = await store.listTree(oid)
    expect([...tree.keys()]).toEqual(['a', 'b/1', 'b/2', 'c d/"\\\n', 'é/ü'])
    const oids = [...tree.values()].map((entry) => entry.oid)
    const contents = await Promise.all(oids.map((id) => store.readBlob(id)))
    expect(contents.map(String)).toEqual(['x\0y', '', 'two', 'odd', 'utf-8'])
    expect([...(await store.blobSizes(oids)).values()]).toEqual([3, 0, 3, 3, 5])
    expect(await stockGit(store.dir, 'fsck', '--strict')).toBe('')
  })

  test('listTree goes into one directory or one file, literally', async () => {
    const store = await testStore({ engine })
    const oid = await commitFiles(store, { 'a/1': '', 'a/b/2': '', 'ab/3': '', '*': '', ':(top)': '' })
    const under = async (path: string) => [...(await store.listTree(oid, path)).keys()]
    expect(await under('a')).toEqual(['a/1', 'a/b/2'])
    expect(await under('a/b')).toEqual(['a/b/2'])
    expect(await under('ab/3')).toEqual(['ab/3'])
    expect(await under('*')).toEqual(['*'])
    expect(await under(':(top)')).toEqual([':(top)'])
    expect(await under('none')).toEqual([])
  })

  test('diffTrees gives what two commits do not share, at every depth', async () => {
    const store = await testStore({ engine })
    const first = await commitFiles(store, {
      'a/b/1': 'x',
      'a/c': 'same',
      gone: '',
      'is-file': '',
      'z/1': '',
    })
    const parent = first
    const second = await commitFiles(
      store,
      { 'a/b/1': 'y', 'a/new': '', 'is-file/1': '', 'é/ü': '' },
      { parent, remove: ['gone', 'is-file'] },
    )
    const { before, after } = await store.diffTrees(first, second)
    expect([...before.keys()].sort()).toEqual(['a/b/1', 'gone', 'is-file'])
    expect([...after.keys()].sort()).toEqual(['a/b/1', 'a/new', 'is-file/1', 'é/ü'])
    for (const [commit, entries] of [
      [first, before],
      [second, after],
    ] as const) {
      const tree = await store.listTree(commit)
      for (const [path, entry] of entries) expect(entry).toEqual(tree.get(path))
    }
    expect(await store.diffTrees(first, first)).toEqual({ before: new Map(), after: new Map() })
    await expect(store.diffTrees(first, missing)).rejects.toMatchObject({ code: 'repository' })
  })

  test('listTree refuses submodules and paths that are not UTF-8', async () => {
    const store = await testStore({ engine })
    const first = await commitFiles(store, { a: '' })
    await stockGit(store.dir, 'update-index', '--add', '--cacheinfo', `160000,${first},sub`)
    const module = await stockGit(store.dir, 'write-tree')
    await expect(store.listTree(module)).rejects.toMatchObject({
      code: 'dump',
      message: expect.stringContaining('entry "sub" may not be in a dump: its mode is 160000'),
    })
    // \377 is no UTF-8.
    const head = Buffer.from(
      'reset refs/heads/odd\n\ncommit refs/heads/odd\ncommitter A <a@b> 1 +0000\ndata 0\n',
    )
    const stream = Buffer.concat([head, Buffer.from('M 644 inline "a\\377b"\ndata 0\n')])
    expect((await git(store.gitDir, ['fast-import', '--quiet'], { input: stream })).code).toBe(0)
    await expect(store.listTree('odd')).rejects.toMatchObject({
      code: 'dump',
      message: expect.stringContaining('its path is not UTF-8'),
    })
  })

  test('what is missing is named', async () => {
    const store = await testStore({ engine })
    const oid = await commitFiles(store, { a: 'x' })
    const message = `read object ${missing}: it is missing from the repository`
    const error = { code: 'repository', message, hint: 'rowback verify' }
    await expect(store.readBlob(missing)).rejects.toMatchObject(error)
    await expect(store.readCommit(missing)).rejects.toMatchObject(error)
    const target = await open(join(store.dir, 'copy'), 'wx')
    await expect(store.copyBlob(missing, target.fd)).rejects.toMatchObject(error)
    expect((await target.stat()).size).toBe(0)
    await target.close()
    await expect(store.blobSizes([missing])).rejects.toMatchObject({ code: 'repository' })
    await expect(store.listTree(missing)).rejects.toMatchObject({ code: 'repository' })
    await expect(store.readBlob(oid)).rejects.toThrow('it is a commit, not a blob')
    // The conversation goes on behind each failure.
    expect(String(await store.readBlob(blobOid(Buffer.from('x'))))).toBe('x')
  })

  test('a damaged object is an error of its own, and others can still be read', async () => {
    const store = await testStore({ engine })
    const good = await commitFiles(store, { a: 'good' })
    await writeFile(join(store.dir, 'bad'), 'bad'.repeat(1000))
    const bad = await stockGit(store.dir, 'hash-object', '-w', 'bad')
    const file = join(store.gitDir, 'objects', bad.slice(0, 2), bad.slice(2))
    await chmod(file, 0o600)
    await writeFile(file, (await readFile(file)).subarray(0, 20))
    await expect(store.readBlob(bad)).rejects.toMatchObject({
      code: 'repository',
      hint: 'rowback verify',
    })
    expect((await store.readCommit(good)).oid).toBe(good)
  })

  test('copyBlob appends to an open file', async () => {
    const store = await testStore({ engine })
    const content = 'é'.repeat(200_000)
    await commitFiles(store, { a: content, empty: '' })
    const file = await open(join(store.dir, 'copy'), 'wx+')
    await store.copyBlob(blobOid(Buffer.from(content)), file.fd)
    await store.copyBlob(blobOid(Buffer.alloc(0)), file.fd)
    await file.close()
    expect(await readFile(join(store.dir, 'copy'), 'utf8')).toBe(content)
  })

  test('resolve takes any revision, and latest for the tip of the branch', async () => {
    const store = await testStore({ engine, branch: 'backups' })
    const first = await commitFiles(store, { a: '1' })
    const second = await commitFiles(store, { a: '2' }, { parent: first })
    for (const rev of ['latest', 'backups', second, second.slice(0, 8), 'HEAD'])
      expect(await store.resolve(rev)).toBe(second)
    for (const rev of ['latest~1', 'latest^', 'backups~', `${second}^`])
      expect(await store.resolve(rev)).toBe(first)
  })

  test.each([
    '',
    '-x',
    '--all',
    '--git-dir=/',
    '^main',
    'main..main',
    'nothing',
    'latest~9',
    'main:a',
    'a\0b',
    'a\nb',
    '@{-1}',
  ])('resolve refuses %j', async (rev) => {
    const store = await testStore({ engine })
    await commitFiles(store, { a: '1' })
    await expect(store.resolve(rev)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining(`resolve ${JSON.stringify(rev)}: no such commit in ${store.dir}`),
    })
  })

  test('latest of an empty repository is no commit', async () => {
    const store = await testStore({ engine })
    await expect(store.resolve('latest')).rejects.toMatchObject({ code: 'usage' })
  })

  test('log gives the newest commit first, up to a limit, and can be left early', async () => {
    const store = await testStore({ engine })
    const oids: string[] = []
    for (const text of ['1', '2', '3'])
      oids.unshift(await commitFiles(store, { a: text }, { parent: oids[0], message: text }))
    const subjects = async (limit?: number) => {
      const found: string[] = []
      for await (const commit of store.log(oids[0] as string, { limit })) found.push(commit.subject)
      return found
    }
    expect(await subjects()).toEqual(['3', '2', '1'])
    expect(await subjects(2)).toEqual(['3', '2'])
    for await (const commit of store.log(oids[0] as string)) {
      expect(commit.subject).toBe('3')
      break
    }
    await expect(store.log(missing).next()).rejects.toMatchObject({ code: 'repository' })
  })

  test('a broken branch does not pass for one without commits', async () => {
    const store = await testStore({ engine })
    await commitFiles(store, { a: '1' })
    const ref = join(store.gitDir, 'refs', 'heads', 'main')
    for (const content of ['', '\0'.repeat(41), `${missing}\n`]) {
      await writeFile(ref, content)
      await expect(store.tip()).rejects.toMatchObject({ code: 'repository' })
    }
  })

  test('a branch below the name of another is not that one', async () => {
    const below = await testStore({ engine, branch: 'hosts/nas' })
    const oid = await commitFiles(below, { a: '1' })
    expect(await below.tip()).toBe(oid)
    const store = await openStore(below.dir, { engine, branch: 'hosts' })
    expect(await store.tip()).toBeUndefined()
    await store.close()
  })

  test('settings are those of the repository', async () => {
    const store = await testStore({ engine })
    expect(await store.config('rowback.source')).toBeUndefined()
    await store.setConfig('rowback.source', ' a "b"\n#c ')
    expect(await store.config('rowback.source')).toBe(' a "b"\n#c ')
    await expect(store.setConfig('nonsense', 'x')).rejects.toMatchObject({ code: 'repository' })
  })

  test('setRef makes a ref, moves it, and leaves the branch alone', async () => {
    const store = await testStore({ engine })
    const first = await commitFiles(store, { a: '1' })
    const second = await commitFiles(store, { a: '2' }, { parent: first })
    for (const oid of [first, second]) {
      await store.setRef('refs/rowback/failed/x', oid)
      expect(await store.resolve('refs/rowback/failed/x')).toBe(oid)
    }
    expect(await store.tip()).toBe(second)
    await expect(store.setRef('refs/rowback/failed/x/y', first)).rejects.toMatchObject({
      code: 'repository',
      message: expect.stringMatching(/^write refs\/rowback\/failed\/x\/y of .*: cannot lock ref/),
    })
  })

  test('close ends what runs in the background, and a closed store works again', async () => {
    const store = await testStore({ engine })
    await commitFiles(store, { a: 'x' })
    expect(String(await store.readBlob(blobOid(Buffer.from('x'))))).toBe('x')
    await store.close()
    await store.close()
    expect(String(await store.readBlob(blobOid(Buffer.from('x'))))).toBe('x')
  })

  test('a repository that is removed meanwhile is an error, not a crash', async () => {
    const store = await testStore({ engine })
    await rm(store.dir, { recursive: true })
    const message = `open repository ${store.gitDir}: it does not exist`
    await expect(store.tip()).rejects.toMatchObject({ code: 'repository', message })
    await expect(store.readBlob(missing)).rejects.toMatchObject({ code: 'repository', message })
  })

  test('a commit adds, replaces and removes files, and its tree is the one that treeOid foretells', async () => {
    const store = await testStore({ engine })
    const first = await commitFiles(store, { 'a/1': '1', 'a/2': '2', 'b/only': '3', file: '4' })
    const writer = store.begin()
    const added = [
      entry('a/1', 'new'),
      entry('file/now/a/directory', 'x'),
      entry('run', '#!/bin/sh', '100755'),
      entry('to', 'a/1', '120000'),
    ]
    for (const text of ['new', 'x', '#!/bin/sh', 'a/1'])
      await writer.writeBlob(blobOid(Buffer.from(text)), Buffer.from(text))
    const oid = await writer.commit({ ...commit, parent: first, add: added, remove: ['b/only', 'file'] })
    const expected = treeOid([...added, entry('a/2', '2')])
    expect(await store.readCommit(oid)).toMatchObject({ parents: [first], tree: expected })
    expect([...(await store.listTree(oid)).values()].map(({ path, mode }) => `${mode} ${path}`)).toEqual([
      '100644 a/1',
      '100644 a/2',
      '100644 file/now/a/directory',
      '100755 run',
      '120000 to',
    ])
    expect(await store.tip()).toBe(oid)
    expect(await stockGit(store.dir, 'fsck', '--strict')).toBe('')
  })

  test('any path that git takes arrives as it is', async () => {
    const store = await testStore({ engine })
    await fc.assert(
      fc.asyncProperty(treeEntries, async (files) => {
        const parent = await store.tip()
        const writer = store.begin()
        await writer.writeBlob(blobOid(Buffer.from('x')), Buffer.from('x'))
        const add = files.map(({ path, mode }) => entry(path, 'x', mode))
        const remove = parent === undefined ? [] : [...(await store.listTree(parent)).keys()]
        const oid = await writer.commit({ ...commit, parent, add, remove })
        expect((await store.readCommit(oid)).tree).toBe(treeOid(add))
        expect([...(await store.listTree(oid)).keys()].sort()).toEqual(files.map(({ path }) => path).sort())
      }),
      { numRuns: 15 },
    )
  })

  test('a path that git refuses among many ends the commit, and the branch does not move', async () => {
    const store = await testStore({ engine })
    const first = await commitFiles(store, { a: '1' })
    const before = await traces(store)
    const writer = store.begin()
    const add = [
      ...Array.from({ length: 2500 }, (_, nth) => entry(`d/${nth}`, 'one')),
      entry('e/.git', 'one'),
    ]
    await writer.writeBlob(blobOid(Buffer.from('one')), Buffer.from('one'))
    await expect(writer.commit({ ...commit, parent: first, add, remove: [] })).rejects.toMatchObject({
      code: 'fault',
      message: expect.stringContaining('git refuses the part ".git"'),
    })
    expect(await store.tip()).toBe(first)
    expect(await traces(store)).toEqual(before)
  })

  test('the same data gives the same commit id in every repository', async () => {
    const [one, other] = [await testStore({ engine }), await testStore({ engine, branch: 'elsewhere' })]
    expect(await commitFiles(one, { a: '1', b: '2' })).toBe(await commitFiles(other, { b: '2', a: '1' }))
  })

  test('a first commit of nothing has its tree, though git knows the empty one without it', async () => {
    const store = await testStore({ engine })
    await commitFiles(store, {})
    expect(await stockGit(store.dir, 'fsck', '--strict', '--full')).toBe('')
  })

  test('a commit is a pack of its new blobs and one of its trees, and nothing is loose', async () => {
    const store = await testStore({ engine })
    const packs = async () =>
      (await readdir(join(store.gitDir, 'objects', 'pack'))).filter((file) => file.endsWith('.pack'))
    const first = await commitFiles(store, { a: 'x', b: 'x' })
    expect(await packs()).toHaveLength(2)
    await commitFiles(store, { a: 'x', c: 'y' }, { parent: first })
    expect(await packs()).toHaveLength(4)
    expect(await stockGit(store.dir, 'count-objects', '-v')).toContain('in-pack: 7')
    expect(await stockGit(store.dir, 'count-objects')).toBe('0 objects, 0 kilobytes')
  })

  test('paths that differ in case are two files, whatever the repository says of its disk', async () => {
    const store = await testStore({ engine })
    await store.setConfig('core.ignoreCase', 'true')
    const oid = await commitFiles(store, { 'A/x': '1', 'a/x': '2' })
    expect([...(await store.listTree(oid)).keys()]).toEqual(['A/x', 'a/x'])
  })

  test('calls that overlap act in order', async () => {
    const store = await testStore({ engine })
    const file = join(await testdir(), 'file')
    const content = Buffer.alloc(1_000_000, 'f')
    await writeFile(file, content)
    const writer = store.begin()
    const large = Buffer.alloc(500_000, 'l')
    const add = [entry('l', large), entry('f', content), entry('s', 's')]
    const [, , , read] = await Promise.all([
      writer.writeBlob(blobOid(large), large),
      writer.writeFile(blobOid(content), file, content.length),
      writer.writeBlob(blobOid(Buffer.from('s')), Buffer.from('s')),
      writer.readBlob(blobOid(content)),
    ])
    expect(read.equals(content)).toBe(true)
    const oid = await writer.commit({ ...commit, add })
    expect((await store.readCommit(oid)).tree).toBe(treeOid(add))
  })

  test('readBlob sees blobs of the session and of the repository', async () => {
    const store = await testStore({ engine })
    await commitFiles(store, { a: 'old' })
    const writer = store.begin()
    expect(String(await writer.readBlob(blobOid(Buffer.from('old'))))).toBe('old')
    await writer.writeBlob(blobOid(Buffer.from('new')), Buffer.from('new'))
    expect(String(await writer.readBlob(blobOid(Buffer.from('new'))))).toBe('new')
    await expect(writer.readBlob('dead'.repeat(10))).rejects.toMatchObject({ code: 'repository' })
    await expect(store.readBlob(blobOid(Buffer.from('new')))).rejects.toMatchObject({ code: 'repository' })
    await writer.abort()
  })

  test('writeFile takes the first bytes of a file, and streams one that git would not hold in memory', async () => {
    const store = await testStore({ engine })
    const file = join(await testdir(), 'file')
    const content = Buffer.alloc(9 << 20, 'large ')
    await writeFile(file, Buffer.concat([content, Buffer.from('appended since')]))
    const writer = store.begin()
    await writer.writeFile(blobOid(content), file, content.length)
    await writer.writeFile(blobOid(Buffer.alloc(0)), file, 0)
    const oid = await writer.commit({ ...commit, add: [entry('large', content), entry('empty', '')] })
    expect((await store.readBlob(blobOid(content))).equals(content)).toBe(true)
    expect(await stockGit(store.dir, 'cat-file', '-s', `${oid}:empty`)).toBe('0')
  })

  test('a file that changed is told apart, and the session goes on', async () => {
    const store = await testStore({ engine })
    const dir = await testdir()
    await writeFile(join(dir, 'other'), 'other')
    const writer = store.begin()
    const oid = blobOid(Buffer.from('hello'))
    for (const [name, size] of [
      ['other', 5],
      ['other', 400_000],
      ['gone', 5],
    ] as const) {
      const message = `read ${join(dir, name)}: it changed while it was read, or it is gone`
      await expect(writer.writeFile(oid, join(dir, name), size)).rejects.toMatchObject({
        code: 'source',
        message,
      })
    }
    await writer.writeBlob(oid, Buffer.from('hello'))
    await writer.commit({ ...commit, add: [entry('a', 'hello')] })
    expect(String(await store.readBlob(oid))).toBe('hello')
  })

  test('abort leaves nothing behind', async () => {
    const store = await testStore({ engine })
    const before = await traces(store)
    const writer = store.begin()
    const content = Buffer.alloc(1_000_000, 'x')
    await writer.writeBlob(blobOid(content), content)
    const late = writer.writeBlob(blobOid(Buffer.from('y')), Buffer.from('y'))
    await Promise.all([writer.abort(), late.catch(() => {})])
    await writer.abort()
    expect(await traces(store)).toEqual(before)
    await expect(writer.commit(commit)).rejects.toThrow('the session is over, it was aborted')
    await store.begin().abort()
    expect(await store.tip()).toBeUndefined()
  })

  test('a commit leaves its packs and the branch, nothing else', async () => {
    const store = await testStore({ engine })
    await commitFiles(store, { a: '1' })
    expect((await traces(store)).map((file) => file.replace(/[0-9a-f]{40}/, 'ID')).sort()).toEqual([
      'logs/refs/heads/main',
      'objects/pack/pack-ID.idx',
      'objects/pack/pack-ID.idx',
      'objects/pack/pack-ID.pack',
      'objects/pack/pack-ID.pack',
      'refs/heads/main',
    ])
  })

  test('a commit from a parent that the branch has left is refused, and drops the session', async () => {
    const store = await testStore({ engine })
    const first = await commitFiles(store, { a: '1' })
    const second = await commitFiles(store, { a: '2' }, { parent: first })
    const before = await traces(store)
    for (const parent of [undefined, first])
      await expect(commitFiles(store, { a: '3' }, { parent })).rejects.toMatchObject({
        code: 'repository',
        message: `write ${store.dir}: branch main is at ${second} and not at ${parent ?? 'no commit'}; it was left there`,
      })
    expect(await store.tip()).toBe(second)
    expect(await traces(store)).toEqual(before)
  })

  test('a commit can be read before the branch moves to it, and be refused', async () => {
    const store = await testStore({ engine })
    const first = await commitFiles(store, { a: '1' })
    const file = entry('a', '2')
    const writeCommit = async (accept: (oid: string) => Promise<void>): Promise<string> => {
      const writer = store.begin()
      await writer.writeBlob(file.oid, Buffer.from('2'))
      return writer.commit({ ...commit, parent: first, add: [file] }, accept)
    }
    const refusal = new RangeError('not this one')
    await expect(writeCommit(() => Promise.reject(refusal))).rejects.toBe(refusal)
    expect(await store.tip()).toBe(first)
    const seen: unknown[] = []
    const second = await writeCommit(async (oid) => {
      seen.push(oid, await store.tip(), [...(await store.listTree(oid)).values()])
      seen.push(String(await store.readBlob(file.oid)))
    })
    expect(seen).toEqual([second, first, [file], '2'])
    expect(await store.tip()).toBe(second)
    expect((await traces(store)).filter((path) => path.includes('tmp/'))).toEqual([])
  })

  test('of two sessions that commit at once, one wins and the other is refused', async () => {
    const store = await testStore({ engine })
    const parent = await commitFiles(store, { a: '1' })
    const results = await Promise.allSettled(
      ['2', '3'].map((text) => commitFiles(store, { a: text }, { parent })),
    )
    const won = results.filter((result) => result.status === 'fulfilled').map((result) => result.value)
    expect(won).toEqual([await store.tip()])
  })

  test('a branch that is locked is named with its lock, and stays where it is', async () => {
    const store = await testStore({ engine })
    const first = await commitFiles(store, { a: '1' })
    const lock = join(store.gitDir, 'refs', 'heads', 'main.lock')
    await writeFile(lock, '')
    await expect(commitFiles(store, { a: '2' }, { parent: first })).rejects.toMatchObject({
      code: 'repository',
      message: expect.stringContaining('cannot lock ref'),
      hint: 'run the backup again when no other git is at work there',
    })
    expect(await store.tip()).toBe(first)
  })

  test('an entry whose blob nobody wrote fails the commit as a whole', async () => {
    const store = await testStore({ engine })
    await expect(
      store.begin().commit({ ...commit, add: [entry('a', 'never written')] }),
    ).rejects.toMatchObject({
      code: 'repository',
      message: expect.stringMatching(/^write .*: Blob not found: .*; the last commit is intact$/),
    })
    expect(await traces(store)).toEqual([])
  })

  test.each([
    [{ author: { name: 'a\nb', email: 'x' } }, 'usage'],
    [{ time: -1 }, 'usage'],
    [{ add: [entry('a/.git/x', '')] }, 'fault'],
  ])('a commit with %j is refused', async (part, code) => {
    const store = await testStore({ engine })
    await expect(store.begin().commit({ ...commit, ...part })).rejects.toMatchObject({ code })
    expect(await store.tip()).toBeUndefined()
  })

  test('a disk that fills up is one clear error, and the last commit is intact', async () => {
    const disk = smallDisk('1m')
    if (!disk) return
    const store = await testStore({ engine, dir: disk.dir })
    const first = await commitFiles(store, { a: '1' })
    const before = await traces(store)
    const writer = store.begin()
    const writeAll = async () => {
      for (let i = 0; i < 200; i++) {
        const content = Buffer.from(Array.from({ length: 20_000 }, (_, n) => (n * 7919 + i) ** 2).join())
        await writer.writeBlob(blobOid(content), content)
      }
    }
    const error = {
      code: 'repository',
      message: expect.stringMatching(/^write .*no space left on device.*; the last commit is intact$/),
    }
    await expect(writeAll()).rejects.toMatchObject(error)
    await expect(writer.commit({ ...commit, parent: first })).rejects.toMatchObject(error)
    expect(await store.tip()).toBe(first)
    expect(await traces(store)).toEqual(before)
  })

  test('a repository that cannot be written is one clear error', async () => {
    const store = await testStore({ engine })
    // A file where the folder of temporary files has to be: that stops root as well.
    await mkdir(join(store.gitDir, 'rowback'))
    await writeFile(join(store.gitDir, 'rowback', 'tmp'), '')
    await expect(commitFiles(store, { a: '1' })).rejects.toMatchObject({
      code: 'repository',
      message: expect.stringMatching(/^write .*not a directory.*; the last commit is intact$/),
    })
    await rm(join(store.gitDir, 'rowback', 'tmp'))
    await chmod(join(store.gitDir, 'rowback'), 0o700)
    await commitFiles(store, { a: '1' })
  })

  test('log has merges in the order of git', async () => {
    const store = await testStore({ engine })
    const make = (time: number, ...parents: string[]) => emptyCommit(store, time, parents)
    const root = await make(100)
    const [left, right, late] = [await make(300, root), await make(200, root), await make(400, root)]
    const top = await make(500, await make(250, left, right), late)
    const found: string[] = []
    for await (const { oid } of store.log(top)) found.push(oid)
    expect(found).toEqual((await stockGit(store.dir, 'rev-list', top)).split('\n'))
    for (const rev of [`${top}^2`, `${top}~1^2`, `${top}^1~2`, `${top}^0`, `${top}^{commit}`, `${top}^^2~1`])
      expect(await store.resolve(rev)).toBe(await stockGit(store.dir, 'rev-parse', rev))
  })

  test('log leaves out what a known commit reaches, and nothing else, however old it is', async () => {
    const store = await testStore({ engine })
    const make = (time: number, ...parents: string[]) => emptyCommit(store, time, parents)
    const root = await make(100)
    const known = await make(300, await make(200, root))
    const [side, older] = [await make(150, root), await make(50)]
    const top = await make(400, known, side, older)
    const later = await make(10, top)
    const since = async (from: string, other: string) => {
      const found: string[] = []
      for await (const { oid } of store.log(from, { known: other })) found.push(oid)
      return found
    }
    expect(await since(later, known)).toEqual([later, top, side, older])
    expect(await since(later, side)).toEqual([later, top, known, expect.any(String), older])
    expect(await since(top, top)).toEqual([])
    expect(await since(known, top)).toEqual([])
    expect(await since(side, known)).toEqual([side])
    await expect(since(top, missing)).rejects.toMatchObject({ code: 'repository' })
  })

  test('resolve takes tags, refs by any of their names, and ids that begin a commit', async () => {
    const store = await testStore({ engine })
    const first = await commitFiles(store, { a: '1' })
    await stockGit(store.dir, 'update-ref', 'refs/remotes/nas/main', first)
    await stockGit(store.dir, '-c', 'user.name=A', '-c', 'user.email=a@b', 'tag', '-m', 'x', 'v1', 'main')
    for (const rev of ['v1', 'tags/v1', 'refs/tags/v1', 'heads/main', 'nas/main', '@', first.slice(0, 4)])
      expect(await store.resolve(rev)).toBe(first)
    const blob = blobOid(Buffer.from('1'))
    await expect(store.resolve(blob)).rejects.toMatchObject({ code: 'usage' })
  })

  test('refs are listed and removed, packed or not', async () => {
    const store = await testStore({ engine })
    const first = await commitFiles(store, { a: '1' })
    const [one, two] = ['refs/rowback/safety/1', 'refs/rowback/safety/2']
    await store.setRef(one, first)
    await stockGit(store.dir, 'tag', 'v1')
    await stockGit(store.dir, 'pack-refs', '--all')
    await store.setRef(two, first)
    const refs = await store.refs('refs/rowback/safety/')
    expect([...refs]).toEqual([
      [one, first],
      [two, first],
    ])
    expect(await store.branches()).toEqual(['main'])
    for (const ref of [one, two, one]) await store.deleteRef(ref)
    expect((await store.refs('refs/rowback/safety/')).size).toBe(0)
    expect(await store.tip()).toBe(first)
    expect(await stockGit(store.dir, 'tag')).toBe('v1')
  })

  test.each(['\u3000', 'a\u00a0b', 'app/\u2028/x\u2029', '\ufeffmain\u0085'])(
    'a branch called %j is one, packed or not, by its name or through another',
    async (branch) => {
      const store = await testStore({ engine, branch })
      const first = await commitFiles(store, { a: '1' })
      await stockGit(store.dir, 'symbolic-ref', 'refs/heads/alias', `refs/heads/${branch}`)
      await stockGit(store.dir, 'pack-refs', '--all')
      expect(await store.tip()).toBe(first)
      expect((await store.branches()).sort()).toEqual([branch, 'alias'].sort())
      expect(await store.resolve('alias')).toBe(first)
      const again = await openStore(store.dir, { engine })
      expect(again.branch).toBe(branch)
      const second = await commitFiles(again, { a: '2' }, { parent: first })
      await again.close()
      expect(await store.tip()).toBe(second)
      expect(await store.resolve('alias')).toBe(second)
      expect((await stockGit(store.dir, 'reflog', 'HEAD', '--format=%H')).split('\n')).toEqual([
        second,
        first,
      ])
    },
  )

  test.each([
    ['logallrefupdates = always', true],
    ['logallrefupdates = Always', true],
    ['LOGALLREFUPDATES = YES', true],
    ['logAllRefUpdates = on', true],
    ['logallrefupdates = 1', true],
    ['logallrefupdates', true],
    ['logallrefupdates =', false],
    ['logallrefupdates = false', false],
    ['logallrefupdates = 0', false],
    ['sharedrepository = 0', true],
  ])('with %j among the settings commits are logged: %j', async (line, isLogged) => {
    const store = await testStore({ engine })
    await writeFile(join(store.gitDir, 'config'), `[core]\n\tbare = true\n\t${line}\n`)
    const first = await commitFiles(store, { a: '1' })
    for (const name of ['main', 'HEAD'])
      expect(await stockGit(store.dir, 'reflog', name, '--format=%H')).toBe(isLogged ? first : '')
  })

  test('a log that is there is kept, whatever the settings say', async () => {
    const store = await testStore({ engine })
    const first = await commitFiles(store, { a: '1' })
    await rm(join(store.gitDir, 'logs', 'HEAD'))
    await store.setConfig('core.logAllRefUpdates', 'false')
    const second = await commitFiles(store, { a: '2' }, { parent: first })
    expect((await stockGit(store.dir, 'reflog', 'main', '--format=%H')).split('\n')).toEqual([second, first])
    expect(await readdir(join(store.gitDir, 'logs'))).toEqual(['refs'])
  })

  test('a branch that stands for another one moves that', async () => {
    const store = await testStore({ engine })
    const first = await commitFiles(store, { a: '1' })
    await stockGit(store.dir, 'branch', 'trunk')
    await stockGit(store.dir, 'symbolic-ref', 'refs/heads/between', 'refs/heads/trunk')
    await stockGit(store.dir, 'symbolic-ref', 'refs/heads/main', 'refs/heads/between')
    await stockGit(store.dir, 'pack-refs', '--all')
    const second = await commitFiles(store, { a: '2' }, { parent: first })
    const textOf = (name: string) => readFile(join(store.gitDir, 'refs', 'heads', name), 'utf8')
    expect(await textOf('main')).toBe('ref: refs/heads/between\n')
    expect(await textOf('between')).toBe('ref: refs/heads/trunk\n')
    expect(await stockGit(store.dir, 'rev-parse', 'trunk')).toBe(second)
    for (const name of ['main', 'between', 'trunk', 'HEAD'])
      expect(await stockGit(store.dir, 'reflog', name, '-1', '--format=%H %gs')).toBe(
        `${second} backup: test`,
      )

    await writeFile(join(store.gitDir, 'refs', 'heads', 'trunk.lock'), '')
    await expect(commitFiles(store, { a: '3' }, { parent: second })).rejects.toThrow('cannot lock ref')
    expect(await store.tip()).toBe(second)
    await rm(join(store.gitDir, 'refs', 'heads', 'trunk.lock'))
    expect((await traces(store)).filter((file) => file.endsWith('.lock'))).toEqual([])
    await commitFiles(store, { a: '3' }, { parent: second })
  })

  test('a branch that stands for one that is not there yet makes that', async () => {
    const store = await testStore({ engine })
    await stockGit(store.dir, 'symbolic-ref', 'refs/heads/main', 'refs/heads/trunk')
    const first = await commitFiles(store, { a: '1' })
    expect(await stockGit(store.dir, 'rev-parse', 'trunk')).toBe(first)
    expect(await stockGit(store.dir, 'symbolic-ref', 'refs/heads/main')).toBe('refs/heads/trunk')
  })

  test('empty folders in the place of a ref or its log make way, what holds a file does not', async () => {
    const store = await testStore({ engine })
    for (const folder of ['refs/heads/main', 'logs/refs/heads/main'])
      await mkdir(join(store.gitDir, folder, 'a', 'b'), { recursive: true })
    const first = await commitFiles(store, { a: '1' })
    expect(await store.tip()).toBe(first)
    expect(await stockGit(store.dir, 'reflog', 'main', '--format=%H')).toBe(first)

    const ref = 'refs/rowback/failed/x'
    await store.setRef(ref, first)
    await stockGit(store.dir, 'pack-refs', '--all')
    await mkdir(join(store.gitDir, ref, 'a'), { recursive: true })
    await store.deleteRef(ref)
    expect((await store.refs('refs/rowback/')).size).toBe(0)

    await mkdir(join(store.gitDir, ref, 'a'), { recursive: true })
    await writeFile(join(store.gitDir, ref, 'a', 'x.lock'), 'kept')
    await expect(store.setRef(ref, first)).rejects.toMatchObject({
      code: 'repository',
      message: expect.stringMatching(/^write refs\/rowback\/failed\/x of .*directory/),
    })
    expect(await readFile(join(store.gitDir, ref, 'a', 'x.lock'), 'utf8')).toBe('kept')
  })

  test('an id may be in upper case, and the beginning of a commit one of other objects', async () => {
    const store = await testStore({ engine })
    const first = await commitFiles(store, { a: '1' })
    const digits = first.slice(0, 4)
    const text = firstOf(
      (n) => `${n}`,
      (text) => blobOid(Buffer.from(text)).startsWith(digits),
    )
    await commitFiles(store, { a: text }, { parent: first })
    for (const rev of [digits, digits.toUpperCase(), first.toUpperCase(), `${first.toUpperCase()}~0`])
      expect(await store.resolve(rev)).toBe(first)

    const line = 'A <a@example.org> 1 +0000'
    const head = `tree ${treeOid([])}\nauthor ${line}\ncommitter ${line}\n\n`
    const idOf = (text: string) => objectOid('commit', Buffer.from(text)).toString('hex')
    const other = firstOf(
      (n) => `${head}${n}\n`,
      (text) => idOf(text).startsWith(digits),
    )
    await writeFile(join(store.gitDir, 'commit'), other)
    await stockGit(store.dir, 'hash-object', '-w', '-t', 'commit', 'commit')
    expect(await store.resolve(idOf(other))).toBe(idOf(other))
    await expect(store.resolve(digits)).rejects.toMatchObject({ code: 'usage' })
  })

  test.each(['', 'no object'])(
    'a loose object that is %j does not hide the one in a pack',
    async (content) => {
      const store = await testStore({ engine })
      const first = await commitFiles(store, { a: 'x' })
      const blob = blobOid(Buffer.from('x'))
      for (const oid of [first, blob]) {
        await mkdir(join(store.gitDir, 'objects', oid.slice(0, 2)), { recursive: true })
        await writeFile(join(store.gitDir, 'objects', oid.slice(0, 2), oid.slice(2)), content)
      }
      expect(await store.tip()).toBe(first)
      expect((await store.readCommit(first)).oid).toBe(first)
      expect(String(await store.readBlob(blob))).toBe('x')
      expect([...(await store.listTree(first)).keys()]).toEqual(['a'])
    },
  )

  test('what git has packed is read: deltas, packed refs, one pack of all', async () => {
    const store = await testStore({ engine })
    const text = Array.from({ length: 3000 }, (_, i) => `row ${i * 7919}`)
    const oids: string[] = []
    for (let i = 0; i < 4; i++) {
      text[i * 500] = `changed ${i}`
      oids.push(
        await commitFiles(store, { 'd/a': text.join('\n'), [`f${i}`]: `${i}` }, { parent: oids.at(-1) }),
      )
    }
    await stockGit(store.dir, 'gc', '--quiet', '--prune=now')
    expect(await stockGit(store.dir, 'verify-pack', '-v', ...(await packs(store)))).toMatch(
      /chain length = 2/,
    )
    const again = await openStore(store.dir, { engine })
    expect(await again.tip()).toBe(oids[3])
    for (const [i, oid] of oids.entries()) {
      const tree = await again.listTree(oid)
      expect([...tree.keys()]).toEqual(['d/a', ...Array.from({ length: i + 1 }, (_, n) => `f${n}`)])
      for (const { oid: blob } of tree.values()) expect(blobOid(await again.readBlob(blob))).toBe(blob)
    }
    const next = await commitFiles(again, { new: 'x' }, { parent: oids[3] })
    expect([...(await again.listTree(next)).keys()]).toHaveLength(6)
    expect(await stockGit(store.dir, 'fsck', '--strict')).toBe('')
    await again.close()
  })
})

/** The first of the texts of 0, 1, 2 … that is wanted. */
function firstOf(textOf: (n: number) => string, isWanted: (text: string) => boolean): string {
  let n = 0
  while (!isWanted(textOf(n))) n += 1
  return textOf(n)
}

async function packs({ gitDir }: Store): Promise<string[]> {
  const folder = join(gitDir, 'objects', 'pack')
  return (await readdir(folder)).filter((name) => name.endsWith('.idx')).map((name) => join(folder, name))
}

describe('both engines', () => {
  const files = fc.dictionary(fc.constantFrom('a', 'b/c', 'b/d', 'é', 'z z'), fc.string({ unit: 'grapheme' }))
  const step = fc.record({
    files,
    entries: treeEntries,
    message: fc.string({ unit: 'grapheme', minLength: 1 }).map((text) => text.replaceAll('\0', '')),
    time: fc.integer({ min: 0, max: 4_102_444_800 }),
    keep: fc.boolean(),
  })

  test('write the same commit id for the same input, and each reads what the other wrote', async () => {
    const [native, embedded] = [
      await testStore({ engine: 'native' }),
      await testStore({ engine: 'embedded' }),
    ]
    await fc.assert(
      fc.asyncProperty(step, async ({ files, entries, message, time, keep }) => {
        const parent = await native.tip()
        const before = parent === undefined ? [] : [...(await native.listTree(parent)).keys()]
        const remove = keep ? before.slice(0, 1) : before
        const add = entries.map(({ path, mode }) => entry(path, 'x', mode))
        const oids = await Promise.all(
          [native, embedded].map(async (store) => {
            const writer = store.begin()
            await writer.writeBlob(blobOid(Buffer.from('x')), Buffer.from('x'))
            const texts = Object.entries(files).map(([path, text]) => ({ path, content: Buffer.from(text) }))
            for (const { content } of texts) await writer.writeBlob(blobOid(content), content)
            const all = [...add, ...texts.map(({ path, content }) => entry(`own/${path}`, content))]
            return writer.commit({ parent, add: all, remove, message, author, time })
          }),
        )
        expect(oids[1]).toBe(oids[0])
      }),
      { numRuns: 12 },
    )
    const tip = await native.tip()
    for (const [store, engine] of [
      [embedded, 'native'],
      [native, 'embedded'],
    ] as const) {
      expect(await stockGit(store.dir, 'fsck', '--strict', '--full')).toBe('')
      const reader = await openStore(store.dir, { engine })
      expect(await reader.tip()).toBe(tip)
      for await (const { oid } of reader.log(tip as string))
        expect(await reader.listTree(oid)).toEqual(await native.listTree(oid))
      await reader.close()
    }
  })

  test('a branch that one moved is not moved back by the other', async () => {
    const native = await testStore({ engine: 'native' })
    const first = await commitFiles(native, { a: '1' })
    const embedded = await openStore(native.dir, { engine: 'embedded' })
    const results = await Promise.allSettled([
      commitFiles(native, { a: '2' }, { parent: first }),
      commitFiles(embedded, { a: '3' }, { parent: first }),
    ])
    const won = results.filter((result) => result.status === 'fulfilled').map((result) => result.value)
    expect(won).toEqual([await native.tip()])
    expect(await embedded.tip()).toBe(won[0])
  })
})

describe('the choice of an engine', () => {
  const said = async (text: string | undefined) => {
    const dir = await testdir()
    if (text !== undefined)
      await writeFile(join(dir, 'git'), `#!/bin/sh\necho "git version ${text}"\n`, { mode: 0o755 })
    setEnv({ PATH: dir })
    return engineOf()
  }

  test.each([
    [undefined, 'embedded'],
    ['1.8.3.1', 'embedded'],
    ['2.31.9', 'embedded'],
    ['2.32.0', 'native'],
    ['2.47.1.windows.1', 'native'],
    ['3.0.0', 'native'],
  ])('is that of a git %s in PATH: %s', async (version, engine) => {
    expect(await said(version)).toBe(engine)
  })

  test('is up to the user, whatever there is', async () => {
    setEnv({ PATH: await testdir() })
    expect(await engineOf('native')).toBe('native')
    expect(await engineOf('embedded')).toBe('embedded')
  })

  test('the embedded one says what of a repository it cannot read', async () => {
    const cases: [(store: Store) => Promise<unknown>, string][] = [
      [({ gitDir }) => writeFile(join(gitDir, 'shallow'), `${missing}\n`), 'it is a shallow clone'],
      [
        ({ gitDir }) => writeFile(join(gitDir, 'objects', 'info', 'alternates'), '/nowhere\n'),
        'it borrows the objects of another repository',
      ],
      [(store) => store.setConfig('remote.x.promisor', 'true'), 'it is a partial clone'],
      [(store) => store.setConfig('extensions.refStorage', 'reftable'), 'its refs are no files'],
    ]
    for (const [change, why] of cases) {
      const store = await testStore({ engine: 'embedded' })
      await change(store)
      await expect(openStore(store.dir, { engine: 'embedded' })).rejects.toMatchObject({
        code: 'repository',
        message: `open repository ${store.dir}: ${why}, which takes the git program; the embedded engine is in use`,
        hint: expect.stringContaining('install git'),
      })
    }
  })

  test('the embedded one says which index of a pack it cannot read', async () => {
    const store = await testStore({ engine: 'embedded' })
    await commitFiles(store, { a: 'x' })
    await stockGit(store.dir, '-c', 'pack.indexVersion=1', 'gc', '--quiet')
    const [index] = await packs(store)
    await expect(openStore(store.dir, { engine: 'embedded' })).rejects.toMatchObject({
      code: 'repository',
      message: `open repository ${store.dir}: ${index} is no index of version 2, which takes the git program; the embedded engine is in use`,
      hint: expect.stringContaining('install git'),
    })
  })

  test('the embedded one says that a pack is too large for it', async () => {
    const store = await testStore({ engine: 'embedded' })
    const oid = await commitFiles(store, { a: 'x' })
    for (const index of await packs(store)) {
      const pack = index.replace(/idx$/, 'pack')
      await chmod(pack, 0o600)
      await truncate(pack, 2 ** 31 + 1)
    }
    await expect(store.readCommit(oid)).rejects.toMatchObject({
      code: 'repository',
      message: `read object ${oid}: its pack has more than 2 GiB, which the embedded engine cannot read`,
      hint: expect.stringContaining('install git'),
    })
  })

  test('the embedded one writes nothing that would be too large for it', async () => {
    const store = await testStore({ engine: 'embedded' })
    const first = await commitFiles(store, { a: '1' })
    const before = await traces(store)
    const file = join(await testdir(), 'file')
    await writeFile(file, '')
    await truncate(file, 2 ** 31)
    const writer = store.begin()
    const content = Buffer.alloc(1_000_000, 'x')
    await writer.writeBlob(blobOid(content), content)
    const error = {
      code: 'repository',
      message: `write ${store.dir}: the commit has more than 2 GiB in one pack or file, which takes the git program; the embedded engine is in use`,
      hint: expect.stringContaining('install git'),
    }
    await expect(writer.writeFile(missing, file, 2 ** 31)).rejects.toMatchObject(error)
    await expect(writer.commit({ ...commit, parent: first })).rejects.toMatchObject(error)
    expect(await store.tip()).toBe(first)
    expect(await traces(store)).toEqual(before)
  })
})
