/**
 * Joins packs and removes what killed runs have left among the objects. Git's own lock and log of `gc` are not looked at
 * nor made, so a stale one stops nothing. Backups may run at the same time: nothing is removed before what replaces it
 * is there, and git looks for a new pack when it misses an old one (git-pack-objects(1), git-repack(1)).
 */

import { readdirSync, rmSync } from 'node:fs'
import { readdir, rm, stat, statfs } from 'node:fs/promises'
import path from 'node:path'
import { onInterrupt } from '../interrupt.ts'
import { indexPack, isCutShort, packsWithoutIndex } from './index-pack.ts'
import type { Pack, RepackPlan } from './repack-plan.ts'
import { fullDisk, git, gitCause, mapsLittle } from './run.ts'
import { makeSession, packFolder, publishObjects } from './session.ts'

/** Bounds of memory (about 75 MB for a repository of 145 MB), and one thread: this is never urgent. */
const bounds = [
  'pack.threads=1',
  'pack.windowMemory=64m',
  'pack.deltaCacheSize=32m',
  'core.bigFileThreshold=16m',
  // A limit of the repository's own would leave many packs, and all would be due again.
  'pack.packSizeLimit=0',
]
  .flatMap((setting) => ['-c', setting])
  // Deltas are made from objects all over the packs.
  .concat(mapsLittle, '-c', 'core.packedGitLimit=64m')

/**
 * Git sorts objects by path, so the versions of a chunk are neighbours: a wider window takes twice the time and finds
 * nothing more (docs/design.md).
 */
const deltas = ['--window=3', '--depth=50']

const dayMs = 24 * 3_600_000

/** What nothing names is kept for so long, as by `git gc`: somebody may be about to name it. */
const expiry = { ms: 14 * dayMs, date: '2.weeks.ago' }

/** Packs that nobody wants to keep as they are. */
export async function listPacks(gitDir: string): Promise<Pack[]> {
  const folder = packFolder(gitDir)
  const files = new Set(await namesIn(folder))
  const isOwn = (name: string) => !['.keep', '.promisor', '.mtimes'].some((end) => files.has(name + end))
  const names = [...files].filter((file) => /^pack-.*\.idx$/.test(file)).map((file) => file.slice(0, -4))
  const packs = await Promise.all(
    names
      .filter(isOwn)
      .map(async (name) => ({ name, bytes: await sizeOf(path.join(folder, `${name}.pack`)) })),
  )
  return packs.filter(({ bytes }) => bytes > 0)
}

/**
 * Carries a plan out, for the holder of the lock for upkeep, after removing what those before it have left half-written.
 * Throws an Error of git's words; nothing is lost then.
 */
export async function repack(gitDir: string, plan: RepackPlan): Promise<void> {
  await clearHalfWritten(gitDir)
  const packs = plan === 'all' ? await listPacks(gitDir) : plan === 'none' ? [] : plan
  await expectRoom(gitDir, packs)
  if (plan === 'all') await joinAll(gitDir)
  else if (plan !== 'none') await join(gitDir, plan)
}

/**
 * Makes one pack of all; objects that nothing names become files, which `pruneOldObjects` removes when they are old.
 * Git leaves what it has half-written when it fails or is ended: that is removed.
 */
async function joinAll(gitDir: string): Promise<void> {
  const args = ['repack', '-A', '-d', '-l', '-q', '--no-write-bitmap-index', ...deltas]
  const before = new Set(halfWritten(gitDir))
  const removeNew = () => {
    try {
      for (const file of halfWritten(gitDir)) if (!before.has(file)) rmSync(file, { force: true })
    } catch {
      // What git said counts, and an upkeep after a day removes them.
    }
  }
  const forget = onInterrupt(removeNew)
  try {
    await run(gitDir, [...bounds, ...args])
  } catch (error) {
    removeNew()
    throw error
  } finally {
    forget()
  }
}

/** The files with git's temporary names where a repack writes, and not those of a push that is being received. */
function halfWritten(gitDir: string): string[] {
  const objects = path.join(gitDir, 'objects')
  const folders = readdirSync(objects).filter((name) => /^(?:pack|[0-9a-f]{2})$/.test(name))
  return folders.flatMap((folder) => {
    const files = readdirSync(path.join(objects, folder)).filter(isTemporary)
    return files.map((file) => path.join(objects, folder, file))
  })
}

function isTemporary(name: string): boolean {
  return /^\.?tmp[-_]/.test(name)
}

/**
 * Makes one pack of some, with all that is in them: what nothing names stays in packs, where `repack --geometric` would
 * also take it from files, and make it young again.
 */
async function join(gitDir: string, packs: readonly Pack[]): Promise<void> {
  const session = await makeSession(gitDir, 'upkeep')
  const args = ['pack-objects', '--stdin-packs', '--delta-base-offset', '-q', ...deltas]
  const input = packs.map(({ name }) => `${name}.pack\n`).join('')
  const joined = await run(session, [...bounds, ...args, path.join(packFolder(session), 'pack')], input)
  await publishObjects(session, gitDir)
  await rm(session, { recursive: true })
  const kept = `pack-${joined.trim()}`
  // It names packs that go; git makes it anew where somebody wants it (git-multi-pack-index(1)).
  await rm(path.join(packFolder(gitDir), 'multi-pack-index'), { force: true })
  for (const { name } of packs) if (name !== kept) await removePack(packFolder(gitDir), name)
}

/** Without its index, nobody takes what is left for a pack. */
async function removePack(folder: string, name: string): Promise<void> {
  for (const end of ['idx', 'pack', 'rev', 'bitmap'])
    await rm(path.join(folder, `${name}.${end}`), { force: true })
}

/**
 * Removes objects outside of packs that nothing names and that are old. Only for the holder of the repository's lock: a
 * commit that is being written may name some of them.
 */
export async function pruneOldObjects(gitDir: string): Promise<void> {
  if (await hasOldFiles(gitDir)) await run(gitDir, ['prune', `--expire=${expiry.date}`])
}

async function hasOldFiles(gitDir: string): Promise<boolean> {
  const objects = path.join(gitDir, 'objects')
  const folders = (await namesIn(objects)).filter((name) => /^[0-9a-f]{2}$/.test(name))
  for (const folder of folders) {
    const files = await namesIn(path.join(objects, folder))
    for (const file of files) if (await isOlder(path.join(objects, folder, file), expiry.ms)) return true
  }
  return false
}

/** Gives packs their index that have lost it, and removes what a day has not completed. */
async function clearHalfWritten(gitDir: string): Promise<void> {
  const folder = packFolder(gitDir)
  for (const name of await packsWithoutIndex(gitDir)) {
    const pack = path.join(folder, `${name}.pack`)
    // Until then somebody may be at it: git writes the index last.
    if (!(await isOlder(pack, dayMs))) continue
    const refusal = await indexPack(gitDir, pack, 'upkeep')
    if (refusal && isCutShort(refusal)) await rm(pack, { force: true })
  }
  const files = await namesIn(folder)
  const packs = new Set(files.filter((file) => file.endsWith('.pack')).map((file) => file.slice(0, -5)))
  const half = files.filter((file) => isTemporary(file) || isRest(file, packs))
  for (const file of half)
    if (await isOlder(path.join(folder, file), dayMs)) await rm(path.join(folder, file), { force: true })
}

/** What git had noted of a pack that is gone. */
function isRest(file: string, packs: ReadonlySet<string>): boolean {
  const [, name = ''] = /^(pack-[0-9a-f]{40})\.(?:rev|bitmap)$/.exec(file) ?? []
  return name !== '' && !packs.has(name)
}

async function expectRoom(gitDir: string, packs: readonly Pack[]): Promise<void> {
  const bytes = packs.reduce((sum, pack) => sum + pack.bytes, 0)
  const { bavail, bsize } = await statfs(gitDir)
  if (bavail * bsize < bytes * 1.1) throw new Error(`${fullDisk} for a second copy of its packs`)
}

async function run(gitDir: string, args: readonly string[], input = ''): Promise<string> {
  const done = await git(gitDir, args, { input, inBackground: true })
  if (done.code !== 0) throw new Error(gitCause(done))
  return done.stdout.toString()
}

/** None where there is no such folder. */
async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => [])
}

/** 0 for a file that is gone. */
async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => undefined))?.size ?? 0
}

async function isOlder(file: string, ms: number): Promise<boolean> {
  const found = await stat(file).catch(() => undefined)
  return found !== undefined && Date.now() - found.mtimeMs > ms
}
