import { execFileSync } from 'node:child_process'
import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Store } from '../../src/git/store.ts'
import { blobOid, type TreeEntry, treeOid } from '../../src/git/tree.ts'
import { smallDisk } from '../support/mount.ts'
import { author, commitFiles, setEnv, stockGit, testdir, testStore } from './testdir.ts'
import { treeEntries } from './tree-entries.ts'

const commit = { add: [] as TreeEntry[], remove: [] as string[], message: 'm\n', author, time: 1 }

function entry(path: string, content: Buffer | string, mode: TreeEntry['mode'] = '100644'): TreeEntry {
  return { path, mode, oid: blobOid(Buffer.from(content)) }
}

/** Everything below the git directory that a dropped session could have left. */
async function traces(store: Store): Promise<string[]> {
  const files = await readdir(store.gitDir, { recursive: true })
  return files.filter((file) =>
    /tmp\/.|fast_import_crash|pack-|tmp_pack|\.lock$|refs\/heads\/.|objects\/[0-9a-f]{2}\//.test(file),
  )
}

test('a commit adds, replaces and removes files, and its tree is the one that treeOid foretells', async () => {
  const store = await testStore()
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
  const store = await testStore()
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

test('the same data gives the same commit id in every repository', async () => {
  const [one, other] = [await testStore(), await testStore({ branch: 'elsewhere' })]
  expect(await commitFiles(one, { a: '1', b: '2' })).toBe(await commitFiles(other, { b: '2', a: '1' }))
})

test('a commit is a pack of its new blobs and one of its trees, and nothing is loose', async () => {
  const store = await testStore()
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
  const store = await testStore()
  await store.setConfig('core.ignoreCase', 'true')
  const oid = await commitFiles(store, { 'A/x': '1', 'a/x': '2' })
  expect([...(await store.listTree(oid)).keys()]).toEqual(['A/x', 'a/x'])
})

test('calls that overlap act in order', async () => {
  const store = await testStore()
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
  const store = await testStore()
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
  const store = await testStore()
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
  const store = await testStore()
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
  const store = await testStore()
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
  const store = await testStore()
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
  const store = await testStore()
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
  const store = await testStore()
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
  const store = await testStore()
  const parent = await commitFiles(store, { a: '1' })
  const results = await Promise.allSettled(
    ['2', '3'].map((text) => commitFiles(store, { a: text }, { parent })),
  )
  const won = results.filter((result) => result.status === 'fulfilled').map((result) => result.value)
  expect(won).toEqual([await store.tip()])
})

test('a branch that is locked is named with its lock, and stays where it is', async () => {
  const store = await testStore()
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
  const store = await testStore()
  await expect(store.begin().commit({ ...commit, add: [entry('a', 'never written')] })).rejects.toMatchObject(
    {
      code: 'repository',
      message: expect.stringMatching(/^write .*: Blob not found: .*; the last commit is intact$/),
    },
  )
  expect(await traces(store)).toEqual([])
})

test.each([
  [{ author: { name: 'a\nb', email: 'x' } }, 'usage'],
  [{ time: -1 }, 'usage'],
  [{ add: [entry('a/.git/x', '')] }, 'fault'],
])('a commit with %j is refused', async (part, code) => {
  const store = await testStore()
  await expect(store.begin().commit({ ...commit, ...part })).rejects.toMatchObject({ code })
  expect(await store.tip()).toBeUndefined()
})

/** Puts a shell script in front of the real git; `$git` is the real one. */
async function wrapGit(script: string): Promise<void> {
  const dir = await testdir()
  const real = execFileSync('sh', ['-c', 'command -v git']).toString().trim()
  await writeFile(join(dir, 'git'), `#!/bin/sh\ngit=${real}\n${script}\nexec "$git" "$@"\n`, { mode: 0o755 })
  setEnv({ PATH: `${dir}${delimiter}${process.env.PATH}` })
}

test('a disk that fills up is one clear error, and the last commit is intact', async () => {
  const disk = smallDisk('1m')
  if (!disk) return
  const store = await testStore({ dir: disk.dir })
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

test('a fast-import that is killed is one clear error', async () => {
  const store = await testStore()
  await wrapGit('[ "$1" = fast-import ] && kill -KILL $$')
  await expect(commitFiles(store, { a: '1' })).rejects.toMatchObject({
    code: 'repository',
    message: `write ${store.dir}: git was ended by SIGKILL; the last commit is intact`,
  })
  expect(await traces(store)).toEqual([])
})

test('without git there is one clear error', async () => {
  const store = await testStore()
  setEnv({ PATH: await testdir() })
  const error = { code: 'repository', message: 'run git: there is no program of that name in PATH' }
  await expect(store.tip()).rejects.toMatchObject(error)
  await expect(store.readBlob('0'.repeat(40))).rejects.toMatchObject(error)
  await expect(store.begin().commit(commit)).rejects.toMatchObject(error)
  await store.close()
})

test('a repository that cannot be written is one clear error', async () => {
  const store = await testStore()
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
