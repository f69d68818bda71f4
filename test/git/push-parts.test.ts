import { randomBytes } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type NewObject, newObjects, type Part, parts } from '../../src/git/push-parts.ts'
import { pushBranch } from '../../src/git/remote.ts'
import { repack } from '../../src/git/repack.ts'
import type { Store } from '../../src/git/store.ts'
import { commitFiles, setEnv, stockGit, testdir, testStore } from './testdir.ts'

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

/** Commits by name with the sizes of their blobs, as objects in order. */
async function* history(commits: Record<string, number[]>): AsyncGenerator<NewObject> {
  for (const [oid, blobs] of Object.entries(commits)) {
    yield { oid, type: 'commit', bytes: 1 }
    yield { oid: `${oid}-tree`, type: 'tree', bytes: 1 }
    for (const [i, bytes] of blobs.entries()) yield { oid: `${oid}${i}`, type: 'blob', bytes }
  }
}

async function partsOf(commits: Record<string, number[]>, limitBytes: number): Promise<Part[]> {
  return await all(parts(history(commits), limitBytes))
}

describe('the parts of a push', () => {
  test('are one where all is small, and none where there is nothing', async () => {
    expect(await partsOf({ a: [10], b: [10], c: [10] }, 100)).toEqual([{ commit: 'c' }])
    expect(await partsOf({}, 100)).toEqual([])
  })

  test('are whole commits as long as these are small', async () => {
    expect(await partsOf({ a: [40], b: [40], c: [40], d: [10], e: [90] }, 100)).toEqual([
      { commit: 'b' },
      { commit: 'd' },
      { commit: 'e' },
    ])
  })

  test('are blobs, and then the commit, where that is large alone', async () => {
    expect(await partsOf({ a: [10], b: [60, 50, 40, 200, 1], c: [10] }, 100)).toEqual([
      { commit: 'a' },
      { blobs: ['b0'] },
      { blobs: ['b1', 'b2'] },
      { blobs: ['b3'] },
      { blobs: ['b4'] },
      { commit: 'b' },
      { commit: 'c' },
    ])
  })
})

/** A store, and an empty bare repository that accepts packs of up to 300 kB. */
async function limited(): Promise<{ store: Store; remote: string }> {
  const store = await testStore()
  const dir = await testdir()
  const remote = join(dir, 'remote.git')
  await stockGit(dir, 'init', '--quiet', '--bare', '--template=', remote)
  await stockGit(remote, 'config', 'receive.maxInputSize', '300k')
  await mkdir(join(remote, 'hooks'))
  setEnv({ HOME: dir, XDG_CONFIG_HOME: dir })
  return { store, remote }
}

const bounds = { verifyHook: true, partBytes: 250_000 }

/** Files of about 60 kB that do not compress. */
function files(count: number): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`d${i % 3}/f${i}`, randomBytes(45_000).toString('latin1')]),
  )
}

async function refs(repository: string): Promise<string> {
  return await stockGit(repository, 'for-each-ref', '--format=%(refname) %(objectname)')
}

async function expectArrived(store: Store, remote: string): Promise<void> {
  expect(await refs(remote)).toBe(`refs/heads/main ${await store.tip()}`)
  expect(await stockGit(remote, 'fsck', '--strict')).not.toContain('missing')
  expect(await stockGit(remote, 'rev-list', '--objects', '--count', 'main')).toBe(
    await stockGit(store.dir, 'rev-list', '--objects', '--count', 'main'),
  )
}

/** Lets the remote refuse every push from the nth on; the file says how many there were. */
async function refuseFrom(remote: string, nth: number): Promise<string> {
  const count = join(remote, 'count')
  const script = `echo x >> ${count}; [ "$(wc -l < ${count})" -lt ${nth} ] || { echo enough >&2; exit 1; }`
  await rm(count, { force: true })
  await writeFile(join(remote, 'hooks', 'pre-receive'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  return count
}

test('a commit that is too large for the remote arrives in parts, and leaves no other ref', async () => {
  const { store, remote } = await limited()
  await commitFiles(store, files(20))
  await expect(pushBranch(store, remote, 'main', { verifyHook: true })).rejects.toMatchObject({
    code: 'remote',
    message: expect.stringMatching(
      /: the remote refused it: .*\(unpacker error\) \(fatal: pack exceeds maximum allowed size.*\); the commit is safe in /,
    ),
  })
  expect(await refs(remote)).toBe('')
  expect(await pushBranch(store, remote, 'main', bounds)).toBeGreaterThan(4)
  await expectArrived(store, remote)
})

test('a long history arrives in parts, and so does one whose packs were joined', async () => {
  const { store, remote } = await limited()
  const content = randomBytes(60_000).toString('latin1')
  let parent: string | undefined
  for (let i = 0; i < 12; i++)
    parent = await commitFiles(store, { ...files(1), changing: `${content}${i}` }, { parent })
  await repack(store.gitDir, 'all')
  const objects = await all(newObjects(store, parent as string, []))
  expect(objects.filter(({ type }) => type === 'commit')).toHaveLength(12)
  expect(objects[0]).toMatchObject({ type: 'commit' })
  expect(await pushBranch(store, remote, 'main', bounds)).toBeGreaterThan(2)
  await expectArrived(store, remote)

  await commitFiles(store, files(1), { parent })
  expect(await pushBranch(store, remote, 'main', bounds)).toBe(1)
  await expectArrived(store, remote)
})

test('a push that was interrupted goes on where it stopped', async () => {
  const { store, remote } = await limited()
  const parent = await commitFiles(store, files(3))
  await commitFiles(store, files(20), { parent })
  await refuseFrom(remote, 4)
  const refused = 'the remote refused it: [remote rejected] (pre-receive hook declined) (enough)'
  await expect(pushBranch(store, remote, 'main', bounds)).rejects.toMatchObject({
    code: 'remote',
    message: `push to ${remote}: ${refused}; the commit is safe in ${store.dir}`,
  })
  const arrived = (await refs(remote)).split('\n')
  expect(arrived).toHaveLength(3)
  expect(arrived[0]).toBe(`refs/heads/main ${parent}`)
  expect(arrived[1]).toMatch(/^refs\/rowback\/parts\/main\/([0-9a-f]{40}) \1$/)
  // What arrived is told by its objects, in whatever packs they are by now.
  await repack(store.gitDir, 'all')
  await refuseFrom(remote, 100)
  const left = await pushBranch(store, remote, 'main', bounds)
  await expectArrived(store, remote)

  const fresh = join(await testdir(), 'fresh.git')
  await stockGit(store.dir, 'init', '--quiet', '--bare', '--template=', fresh)
  expect(await pushBranch(store, fresh, 'main', bounds)).toBeGreaterThanOrEqual(left + 3)
})

test('parts that are left by a push that was interrupted at its end are removed by the next one', async () => {
  const { store, remote } = await limited()
  const tip = await commitFiles(store, files(20))
  await pushBranch(store, remote, 'main', bounds)
  const tree = await stockGit(store.dir, 'rev-parse', `${tip}^{tree}`)
  await stockGit(remote, 'update-ref', `refs/rowback/parts/main/${tree}`, tree)
  await stockGit(remote, 'update-ref', 'refs/heads/other', tip)
  expect(await pushBranch(store, remote, 'main', bounds)).toBe(0)
  expect(await refs(remote)).toBe(`refs/heads/main ${tip}\nrefs/heads/other ${tip}`)
})

test('a remote with other commits is refused before anything is sent', async () => {
  const { store, remote } = await limited()
  const other = await testStore()
  await commitFiles(other, { b: '1' })
  await pushBranch(other, remote, 'main', bounds)
  await commitFiles(store, files(20))
  await expect(pushBranch(store, remote, 'main', bounds)).rejects.toMatchObject({
    message: expect.stringContaining('the remote has commits that this repository lacks'),
  })
  expect(await refs(remote)).toBe(`refs/heads/main ${await other.tip()}`)
})
