import { randomBytes } from 'node:crypto'
import { readdir, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { lockUpkeep } from '../../src/git/lock.ts'
import { listPacks, pruneOldObjects, repack } from '../../src/git/repack.ts'
import { type Pack, type RepackPlan, repackPlan } from '../../src/git/repack-plan.ts'
import { packFolder } from '../../src/git/session.ts'
import type { Store } from '../../src/git/store.ts'
import { blobOid } from '../../src/git/tree.ts'
import { author, commitFiles, stockGit, testStore, wrapGit } from './testdir.ts'

function packs(...sizes: number[]): Pack[] {
  return sizes.map((bytes, i) => ({ name: `pack-${i}`, bytes }))
}

function sizes(plan: RepackPlan): number[] | string {
  return typeof plan === 'string' ? plan : plan.map(({ bytes }) => bytes)
}

const small = (count: number, bytes = 1) => Array.from({ length: count }, () => bytes)

describe('what is due', () => {
  test('is nothing for a few packs, unless it is wanted always.', () => {
    expect(repackPlan(packs(...small(16)), 'auto')).toBe('none')
    expect(repackPlan(packs(...small(2)), 'always')).toBe('all')
    expect(repackPlan(packs(1), 'always')).toBe('none')
    expect(repackPlan(packs(...small(1000)), 'never')).toBe('none')
  })

  test('is all packs where those beside the largest have a tenth of its size.', () => {
    expect(repackPlan(packs(160, ...small(16)), 'auto')).toBe('all')
    expect(sizes(repackPlan(packs(161, ...small(16)), 'auto'))).toEqual(small(16))
  })

  test('is else the small ones, in a geometric progression.', () => {
    expect(sizes(repackPlan(packs(10_000, 300, 40, ...small(16)), 'auto'))).toEqual(small(16))
    expect(sizes(repackPlan(packs(10_000, 300, 20, ...small(16)), 'auto'))).toEqual([20, ...small(16)])
  })

  test('keeps packs few and copies little in ten thousand backups.', () => {
    let held = packs(1_000_000)
    let [most, copied] = [0, 0]
    for (let run = 0; run < 10_000; run++) {
      held.push(...packs(400, 20))
      const plan = repackPlan(held, 'auto')
      const joined = plan === 'all' ? held : plan === 'none' ? [] : plan
      const bytes = joined.reduce((sum, pack) => sum + pack.bytes, 0)
      held = held.filter((pack) => !joined.includes(pack))
      if (joined.length > 0) held.push({ name: 'joined', bytes })
      most = Math.max(most, held.length)
      copied += bytes
    }
    expect(most).toBeLessThanOrEqual(16)
    expect(copied / (10_000 * 420)).toBeLessThan(20)
  })
})

/** A store with some commits of a large file that changes a little, and the last commit. */
async function grown(commits: number): Promise<{ store: Store; tip: string }> {
  const store = await testStore()
  let tip: string | undefined
  for (let i = 0; i < commits; i++) tip = await commitFiles(store, { 'a/rows': rows(i) }, { parent: tip })
  return { store, tip: tip as string }
}

function rows(version: number): string {
  return Array.from(
    { length: 2000 },
    (_, row) => `${row},${row * 7919 * (row === 1000 ? version + 2 : 1)}\n`,
  ).join('')
}

async function packBytes({ gitDir }: Store): Promise<number> {
  return (await listPacks(gitDir)).reduce((sum, { bytes }) => sum + bytes, 0)
}

for (const kind of ['all', 'some'] as const)
  test(`joining ${kind} packs makes deltas, loses nothing, and readers and writers go on meanwhile`, async () => {
    const { store, tip } = await grown(12)
    const before = await packBytes(store)
    const first = await store.readBlob(blobOid(Buffer.from(rows(0))))
    const writer = store.begin()
    const oid = blobOid(Buffer.from('new'))
    await writer.writeBlob(oid, Buffer.from('new'))
    await repack(store.gitDir, kind === 'all' ? 'all' : await listPacks(store.gitDir))
    expect(await listPacks(store.gitDir)).toHaveLength(1)
    expect(await packBytes(store)).toBeLessThan(before / 5)

    expect(first.toString()).toBe(rows(0))
    for (let i = 1; i < 12; i++)
      expect((await store.readBlob(blobOid(Buffer.from(rows(i))))).toString()).toBe(rows(i))
    const add = [{ path: 'a/new', mode: '100644', oid }] as const
    await writer.commit({ parent: tip, add, remove: [], message: 'x\n', author, time: 1_700_000_000 })
    expect(await stockGit(store.dir, 'fsck', '--strict')).toBe('')
    expect(await stockGit(store.dir, 'rev-list', '--count', 'main')).toBe('13')
  })

test('one pack comes out of it even where the repository has a limit of its own', async () => {
  const { store } = await grown(3)
  const writer = store.begin()
  const content = randomBytes(3_000_000)
  const add = [{ path: 'large', mode: '100644', oid: blobOid(content) }] as const
  await writer.writeBlob(blobOid(content), content)
  const parent = await store.tip()
  await writer.commit({ parent, add, remove: [], message: 'x\n', author, time: 1_700_000_000 })
  await stockGit(store.dir, 'config', 'pack.packSizeLimit', '1m')
  await repack(store.gitDir, 'all')
  expect(await listPacks(store.gitDir)).toHaveLength(1)
})

test('packs that somebody wants to keep stay', async () => {
  const { store } = await grown(3)
  const kept = (await listPacks(store.gitDir))[0] as Pack
  await writeFile(join(packFolder(store.gitDir), `${kept.name}.keep`), '')
  await repack(store.gitDir, 'all')
  expect(await readdir(packFolder(store.gitDir))).toContain(`${kept.name}.pack`)
  expect(await listPacks(store.gitDir)).toHaveLength(1)
  expect(await stockGit(store.dir, 'fsck', '--strict')).toBe('')
})

async function age(file: string, days: number): Promise<void> {
  const time = Date.now() / 1000 - days * 86_400
  await utimes(file, time, time)
}

test('what nothing names goes when it is two weeks old, and what a ref of ours names stays', async () => {
  const { store, tip } = await grown(2)
  const failed = await commitFiles(store, { b: 'failed' }, { parent: tip })
  await store.setRef('refs/rowback/failed/1', failed)
  const orphan = await commitFiles(store, { c: 'orphan' }, { parent: failed })
  await stockGit(store.dir, 'update-ref', 'refs/heads/main', tip)
  await stockGit(store.dir, 'reflog', 'expire', '--expire=now', '--expire-unreachable=now', '--all')
  const there = (oid: string) => stockGit(store.dir, 'cat-file', '-t', oid).catch(() => 'gone')

  // Joining small packs leaves it where it is, and so does joining all while it is young.
  await repack(store.gitDir, await listPacks(store.gitDir))
  await repack(store.gitDir, 'all')
  await pruneOldObjects(store.gitDir)
  expect(await there(orphan)).toBe('commit')
  for (const folder of await readdir(join(store.gitDir, 'objects')))
    if (/^..$/.test(folder))
      for (const file of await readdir(join(store.gitDir, 'objects', folder)))
        await age(join(store.gitDir, 'objects', folder, file), 15)
  await repack(store.gitDir, 'all')
  await pruneOldObjects(store.gitDir)
  expect(await there(orphan)).toBe('gone')
  expect(await there(failed)).toBe('commit')
  expect(await stockGit(store.dir, 'fsck', '--strict')).toBe('')
})

test('half-written packs go after a day', async () => {
  const { store } = await grown(1)
  const folder = packFolder(store.gitDir)
  const names = ['tmp_pack_a1b2c3', '.tmp-123-pack-456.pack', `pack-${'0'.repeat(40)}.pack`]
  for (const name of names) await writeFile(join(folder, name), 'half')
  const whole = (await listPacks(store.gitDir)).flatMap(({ name }) => [`${name}.pack`, `${name}.idx`])
  for (const name of whole) await age(join(folder, name), 2)
  await repack(store.gitDir, 'none')
  expect(await readdir(folder)).toEqual(expect.arrayContaining([...names, ...whole]))
  for (const name of names) await age(join(folder, name), 2)
  await repack(store.gitDir, 'none')
  expect((await readdir(folder)).sort()).toEqual(whole.sort())
})

test('a pack that has lost its index gets it back, however old it is', async () => {
  const { store } = await grown(3)
  const folder = packFolder(store.gitDir)
  const names = (await listPacks(store.gitDir)).map(({ name }) => name)
  for (const name of names) {
    await rm(join(folder, `${name}.idx`))
    await age(join(folder, `${name}.pack`), 2)
  }
  expect(await listPacks(store.gitDir)).toEqual([])
  await repack(store.gitDir, 'none')
  const whole = names.flatMap((name) => [`${name}.pack`, `${name}.idx`])
  expect((await readdir(folder)).sort()).toEqual(whole.sort())
  expect(await stockGit(store.dir, 'fsck', '--strict')).toBe('')
  expect((await store.readBlob(blobOid(Buffer.from(rows(0))))).toString()).toBe(rows(0))
})

test('a pack without an index that a git was killed over stays, and one that is cut short goes', async () => {
  const { store } = await grown(1)
  const folder = packFolder(store.gitDir)
  const [{ name }] = (await listPacks(store.gitDir)) as [Pack]
  await rm(join(folder, `${name}.idx`))
  const lost = join(folder, `${name}.pack`)
  await age(lost, 2)
  const giveBack = await wrapGit('case " $* " in *" index-pack "*) kill -KILL $$ ;; esac')
  await repack(store.gitDir, 'none')
  expect(await readdir(folder)).toContain(`${name}.pack`)
  giveBack()
  await truncate(lost, 100)
  await age(lost, 2)
  await repack(store.gitDir, 'none')
  expect(await readdir(folder)).not.toContain(`${name}.pack`)
})

test('an upkeep lock is held by one, and one that was silent for five minutes is taken over', async () => {
  const { store } = await grown(1)
  const file = join(store.gitDir, 'rowback', 'upkeep.lock')
  const unlock = await lockUpkeep(store.gitDir)
  expect(unlock).toBeDefined()
  expect(await lockUpkeep(store.gitDir)).toBeUndefined()
  await unlock?.()
  const owner = { pid: 1, host: 'a-container-that-is-gone', since: '2024-01-01T00:00:00.000Z' }
  await writeFile(file, JSON.stringify(owner))
  expect(await lockUpkeep(store.gitDir)).toBeUndefined()
  await utimes(file, new Date(), new Date(Date.now() - 400_000))
  await (await lockUpkeep(store.gitDir))?.()
  await expect(stat(file)).rejects.toThrow('ENOENT')
})
