import { closeSync, openSync } from 'node:fs'
import { chmod, mkdir, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ByteReader } from '../../src/git/byte-reader.ts'
import { createStore } from '../../src/git/create-store.ts'
import { copyObject, readObject } from '../../src/git/objects.ts'
import { openStore } from '../../src/git/open-store.ts'
import { git, startGit } from '../../src/git/run.ts'
import { blobOid } from '../../src/git/tree.ts'
import { commitFiles, stockGit, testdir, testStore } from './testdir.ts'

const missing = 'dead'.repeat(10)

test('a new store is a private bare repository without commits', async () => {
  const store = await testStore()
  expect(await store.tip()).toBeUndefined()
  expect(store.branch).toBe('main')
  expect((await stat(store.dir)).mode & 0o777).toBe(0o700)
  expect(await stockGit(store.dir, 'rev-parse', '--is-bare-repository')).toBe('true')
  expect(await stockGit(store.dir, 'symbolic-ref', 'HEAD')).toBe('refs/heads/main')
  expect(await stockGit(store.dir, 'fsck')).toBe('')
})

test('createStore makes parent directories and takes an empty one, whose mode it keeps', async () => {
  const dir = await testdir()
  await createStore(join(dir, 'a', 'b.git'), { branch: 'backups/app' })
  expect(await stockGit(join(dir, 'a', 'b.git'), 'symbolic-ref', 'HEAD')).toBe('refs/heads/backups/app')
  await mkdir(join(dir, 'empty'))
  await chmod(join(dir, 'empty'), 0o750)
  await createStore(join(dir, 'empty'))
  expect((await stat(join(dir, 'empty'))).mode & 0o777).toBe(0o750)
})

test('createStore leaves a directory that holds anything untouched', async () => {
  const dir = await testdir()
  await writeFile(join(dir, 'file'), '')
  await expect(createStore(dir)).rejects.toMatchObject({
    code: 'repository',
    message: `create repository ${dir}: it is not empty; it was left untouched`,
  })
  await expect(createStore(join(dir, 'file'))).rejects.toMatchObject({ code: 'repository' })
  expect(await stat(join(dir, 'HEAD')).catch(() => 'none')).toBe('none')
})

test.each(['-x', 'a..b', 'a b', '', 'x\0y', 'a/'])('a branch may not be named %j', async (branch) => {
  const dir = join(await testdir(), 'repo.git')
  await expect(createStore(dir, { branch })).rejects.toMatchObject({ code: 'usage' })
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
    await expect(openStore(path)).rejects.toMatchObject({ code: 'repository', message })
  }
})

test('openStore never takes a parent directory for the repository', async () => {
  const dir = await testdir()
  await stockGit(dir, 'init', '--quiet')
  await mkdir(join(dir, 'inside'))
  await expect(openStore(join(dir, 'inside'))).rejects.toThrow('it is not a git repository')
})

test('openStore reads a repository with work trees, from each of them', async () => {
  const dir = await testdir()
  const main = join(dir, 'main')
  await stockGit(dir, 'init', '--quiet', '--initial-branch=trunk', main)
  await commitFiles(await openStore(main), { a: '1' })
  await stockGit(main, 'worktree', 'add', '--quiet', '-b', 'other', '../linked')
  const [here, linked] = [await openStore(main), await openStore(join(dir, 'linked'), { branch: 'trunk' })]
  expect(here.branch).toBe('trunk')
  expect(linked.gitDir).toBe(here.gitDir)
  expect(await linked.tip()).toBe(await here.tip())
})

test('a commit can be read back: tree, blobs, sizes, message', async () => {
  const store = await testStore()
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
  const store = await testStore()
  const oid = await commitFiles(store, { 'a/1': '', 'a/b/2': '', 'ab/3': '', '*': '', ':(top)': '' })
  const under = async (path: string) => [...(await store.listTree(oid, path)).keys()]
  expect(await under('a')).toEqual(['a/1', 'a/b/2'])
  expect(await under('a/b')).toEqual(['a/b/2'])
  expect(await under('ab/3')).toEqual(['ab/3'])
  expect(await under('*')).toEqual(['*'])
  expect(await under(':(top)')).toEqual([':(top)'])
  expect(await under('none')).toEqual([])
})

test('listTree refuses submodules and paths that are not UTF-8', async () => {
  const store = await testStore()
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
  const store = await testStore()
  const oid = await commitFiles(store, { a: 'x' })
  const message = `read object ${missing}: it is missing from the repository`
  const error = { code: 'repository', message, hint: `git -C ${store.gitDir} fsck` }
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
  const store = await testStore()
  const good = await commitFiles(store, { a: 'good' })
  await writeFile(join(store.dir, 'bad'), 'bad'.repeat(1000))
  const bad = await stockGit(store.dir, 'hash-object', '-w', 'bad')
  const file = join(store.gitDir, 'objects', bad.slice(0, 2), bad.slice(2))
  await chmod(file, 0o600)
  await writeFile(file, (await readFile(file)).subarray(0, 20))
  await expect(store.readBlob(bad)).rejects.toMatchObject({
    code: 'repository',
    hint: expect.stringContaining('fsck'),
  })
  expect((await store.readCommit(good)).oid).toBe(good)
})

test('copyBlob appends to an open file', async () => {
  const store = await testStore()
  const content = 'é'.repeat(200_000)
  await commitFiles(store, { a: content, empty: '' })
  const file = await open(join(store.dir, 'copy'), 'wx+')
  await store.copyBlob(blobOid(Buffer.from(content)), file.fd)
  await store.copyBlob(blobOid(Buffer.alloc(0)), file.fd)
  await file.close()
  expect(await readFile(join(store.dir, 'copy'), 'utf8')).toBe(content)
})

test('a copy that cannot be written leaves the conversation with git in step', async () => {
  const store = await testStore()
  const [large, small] = ['x'.repeat(300_000), 'y'].map((text) => Buffer.from(text)) as [Buffer, Buffer]
  await commitFiles(store, { a: String(large), b: String(small) })
  const batch = startGit(store.gitDir, ['cat-file', '--batch'])
  batch.stdin.end(`${blobOid(large)}\n${blobOid(small)}\n`)
  const bytes = new ByteReader(batch.stdout)
  const readOnly = openSync(join(store.gitDir, 'HEAD'), 'r')
  onTestFinished(() => closeSync(readOnly))
  await expect(copyObject(bytes, blobOid(large), 'blob', readOnly)).rejects.toMatchObject({ code: 'EBADF' })
  expect(await readObject(bytes, blobOid(small), 'blob')).toEqual(small)
})

test('resolve takes any revision, and latest for the tip of the branch', async () => {
  const store = await testStore({ branch: 'backups' })
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
  const store = await testStore()
  await commitFiles(store, { a: '1' })
  await expect(store.resolve(rev)).rejects.toMatchObject({
    code: 'usage',
    message: `resolve ${JSON.stringify(rev)}: no such commit in ${store.dir}`,
    hint: 'rowback log',
  })
})

test('latest of an empty repository is no commit', async () => {
  const store = await testStore()
  await expect(store.resolve('latest')).rejects.toMatchObject({ code: 'usage' })
})

test('log gives the newest commit first, up to a limit, and can be left early', async () => {
  const store = await testStore()
  const oids: string[] = []
  for (const text of ['1', '2', '3'])
    oids.unshift(await commitFiles(store, { a: text }, { parent: oids[0], message: text }))
  const subjects = async (limit?: number) => {
    const found: string[] = []
    for await (const commit of store.log(oids[0] as string, limit)) found.push(commit.subject)
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
  const store = await testStore()
  await commitFiles(store, { a: '1' })
  const ref = join(store.gitDir, 'refs', 'heads', 'main')
  for (const content of ['', '\0'.repeat(41), `${missing}\n`]) {
    await writeFile(ref, content)
    await expect(store.tip()).rejects.toMatchObject({ code: 'repository' })
  }
})

test('settings are those of the repository', async () => {
  const store = await testStore()
  expect(await store.config('rowback.source')).toBeUndefined()
  await store.setConfig('rowback.source', ' a "b"\n#c ')
  expect(await store.config('rowback.source')).toBe(' a "b"\n#c ')
  await expect(store.setConfig('nonsense', 'x')).rejects.toMatchObject({ code: 'repository' })
})

test('setRef makes a ref, moves it, and leaves the branch alone', async () => {
  const store = await testStore()
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

test('close ends the background git, and a closed store works again', async () => {
  const store = await testStore()
  await commitFiles(store, { a: 'x' })
  expect(String(await store.readBlob(blobOid(Buffer.from('x'))))).toBe('x')
  await store.close()
  await store.close()
  expect(String(await store.readBlob(blobOid(Buffer.from('x'))))).toBe('x')
})

test('a repository that is removed meanwhile is an error, not a crash', async () => {
  const store = await testStore()
  await rm(store.dir, { recursive: true })
  const message = `open repository ${store.gitDir}: it does not exist`
  await expect(store.tip()).rejects.toMatchObject({ code: 'repository', message })
  await expect(store.readBlob(missing)).rejects.toMatchObject({ code: 'repository', message })
})
