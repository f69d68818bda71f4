/**
 * Brings damaged and missing objects back: from the repository itself, then from a remote, and keeps what else is intact in a
 * damaged pack. For the holder of the repository's lock. Nothing that git can read is taken away before what the remote has is
 * there, and what a heal that was killed has left is gone on from by the next one.
 */

import { createReadStream, existsSync } from 'node:fs'
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { syncDirectory } from '../durable.ts'
import { hasErrno, RowbackError } from '../errors.ts'
import { makeFolders } from '../folders.ts'
import { accessFault } from './access-fault.ts'
import type { Damage } from './damage.ts'
import { indexPack, packsWithoutIndex } from './index-pack.ts'
import { isWholeObject, looseObjects } from './loose-object.ts'
import { addOwnRemote, ownRemote } from './own-remote.ts'
import type { SettledRemote } from './remote-address.ts'
import { fetchWanted, RemoteGitError, remoteError } from './remote-git.ts'
import { checkRemoteUrl, type Remote, redactUrl } from './remote-url.ts'
import { fullDisk, git, gitCause, saysFull, startGit } from './run.ts'
import { makeGitDirectory, packFolder, publishObjects } from './session.ts'
import type { Store } from './store.ts'
import { objectOid } from './tree.ts'
import { withWorkDir } from './work-dir.ts'

/** Where damaged files are kept until all is healed: a git directory that borrows the objects of the real one. */
export function damagedFolder(gitDir: string): string {
  return join(gitDir, 'rowback', 'damaged')
}

/**
 * Brings back what takes no remote: packs that lack nothing but a sound index, and what is intact in those that an earlier heal
 * has set aside. Returns whether there was anything to try.
 */
export async function healHere(gitDir: string, { packs }: Damage): Promise<boolean> {
  const lost = await packsWithoutIndex(gitDir)
  const refused: string[] = []
  for (const name of [...packs, ...lost]) {
    const refusal = await indexPack(gitDir, join(packFolder(gitDir), `${name}.pack`))
    if (refusal && lost.includes(name)) refused.push(name)
  }
  if (refused.length > 0) await setAside(gitDir, { packs: refused, loose: [] })
  return (await salvageAll(gitDir)) || packs.length + lost.length > 0
}

/** Heals as far as the remote has the branch's objects. Throws RowbackError('remote') where that cannot be read. */
export async function heal(store: Store, damage: Damage, remote: SettledRemote): Promise<void> {
  await fetchObjects(store, damage, remote)
  await setAside(store.gitDir, damage)
  await salvageAll(store.gitDir)
}

/** Forgets what was damaged: only after `salvageAll`, as it may be the last place of what is whole. */
export async function removeDamaged(gitDir: string): Promise<void> {
  await rm(damagedFolder(gitDir), { recursive: true, force: true })
}

/**
 * Fetches the whole branch into a repository of its own: in the real one git would compare it with what is damaged. Where the
 * remote cannot give all of it, as where it is damaged itself, what is known to be missing is fetched by itself; so is what
 * is of another branch.
 */
async function fetchObjects(
  { gitDir, branch }: Store,
  { objects }: Damage,
  remote: SettledRemote,
): Promise<void> {
  checkRemoteUrl(remote.address)
  await withWorkDir(gitDir, async (folder) => {
    await makeGitDirectory(folder, 'none')
    await writeFile(join(folder, 'config'), await readFile(join(gitDir, 'config')))
    await addOwnRemote(folder, remote)
    const failure = await fetchInto(folder, remote, [`+refs/heads/${branch}:refs/heads/${branch}`])
    const lacking = failure ? objects : await missingOf(folder, objects)
    const isRest = lacking.length > 0 && (await fetchInto(folder, remote, lacking)) === undefined
    if (failure && !isRest) throw remoteError(`fetch from ${redactUrl(remote.url)}`, remote, failure)
    await publishObjects(folder, gitDir)
  })
}

/** Returns why that was not to be had. */
async function fetchInto(
  folder: string,
  remote: Remote,
  wanted: readonly string[],
): Promise<RemoteGitError | undefined> {
  // How objects are worded is not asked: a branch may have old ones that git dislikes, and comes back with them.
  const settings = ['fetch.fsckObjects=false', 'fetch.unpackLimit=1', 'core.fsync=all']
  const only = ['--quiet', '--no-tags', '--no-write-fetch-head', '--stdin']
  const args = [...settings.flatMap((setting) => ['-c', setting]), 'fetch', ...only, '--', ownRemote]
  try {
    await fetchWanted(folder, args, remote, wanted)
    return undefined
  } catch (error) {
    if (error instanceof RemoteGitError) return error
    throw error
  }
}

/**
 * Moves damaged files out of the repository. A pack is taken as git names it, since what is intact in it comes back; the file of
 * an object that is what its name says stays, whatever git says of it.
 */
async function setAside(gitDir: string, { packs, loose }: Pick<Damage, 'packs' | 'loose'>): Promise<void> {
  const aside = damagedFolder(gitDir)
  await makeGitDirectory(aside, 'none')
  await writeFile(join(aside, 'config'), '[core]\n\trepositoryFormatVersion = 0\n\tbare = true\n')
  await writeFile(join(aside, 'objects', 'info', 'alternates'), '../../../objects\n')
  const files = packs.flatMap((pack) =>
    ['idx', 'rev', 'bitmap', 'pack'].map((end) => join('objects', 'pack', `${pack}.${end}`)),
  )
  for (const file of loose) if (!(await isWholeObject(join(gitDir, file)))) files.push(file)
  for (const file of files) {
    await makeFolders(dirname(join(aside, file)))
    await rename(join(gitDir, file), join(aside, file)).catch((error: unknown) => {
      if (!hasErrno(error, 'ENOENT')) throw error
    })
  }
}

/**
 * Brings back what is intact of all that was set aside; false where there is nothing. Throws RowbackError('repository') where this
 * user may not read it.
 */
export async function salvageAll(gitDir: string): Promise<boolean> {
  const aside = damagedFolder(gitDir)
  // Where a part of it is gone, it was being removed: all that is whole has been brought back.
  const isThere = ['objects', 'refs'].every((name) => existsSync(join(aside, name)))
  const fault = isThere ? accessFault(aside) : undefined
  if (fault !== undefined) throw new RowbackError('repository', `read what was damaged: ${fault}`)
  const folder = packFolder(aside)
  const packs = (await readdir(folder).catch(() => [])).filter((file) => file.endsWith('.pack'))
  for (const pack of packs) await salvage(gitDir, join(folder, pack))
  const loose = await looseObjects(aside)
  for (const file of loose) {
    if (!(await isWholeObject(join(aside, file)))) continue
    const to = join(gitDir, file)
    await makeFolders(dirname(to))
    await rename(join(aside, file), to)
    for (const changed of [dirname(to), join(gitDir, 'objects')]) await syncDirectory(changed)
  }
  return packs.length + loose.length > 0
}

/** Brings back a pack that only lacks a sound index, else what is intact in it and nowhere else. */
async function salvage(gitDir: string, pack: string): Promise<void> {
  if ((await indexPack(gitDir, pack)) === undefined) return
  const old = await readFile(pack.replace(/pack$/, 'idx')).catch(() => undefined)
  const oids = old && (await git(gitDir, ['show-index'], { input: old }))
  if (oids?.code !== 0) return unpackWhatGoes(gitDir, pack)
  const listed = oids.stdout
    .toString()
    .split('\n')
    .flatMap((line) => line.split(' ')[1] ?? [])
  for (const oid of await missingOf(gitDir, listed)) await copyIntact(gitDir, oid)
}

async function missingOf(gitDir: string, oids: readonly string[]): Promise<string[]> {
  const input = oids.map((oid) => `${oid}\n`).join('')
  const { stdout } = await git(gitDir, ['cat-file', '--batch-check'], { input })
  return stdout
    .toString()
    .split('\n')
    .flatMap((line) => /^(\w+) missing$/.exec(line)?.[1] ?? [])
}

/** Copies an object from the damaged files, if it is what its id says. */
async function copyIntact(gitDir: string, oid: string): Promise<void> {
  const aside = damagedFolder(gitDir)
  const type = (await git(aside, ['cat-file', '-t', oid])).stdout.toString().trim()
  const content = await git(aside, ['cat-file', type, oid])
  if (type === '' || content.code !== 0) return
  if (objectOid(type, content.stdout).toString('hex') !== oid) return
  // It may be worded in a way that git dislikes.
  const args = ['-c', 'core.fsync=all', 'hash-object', '-w', '--literally', '-t', type, '--stdin']
  const written = await git(gitDir, args, { input: content.stdout })
  if (written.code !== 0) throw new RowbackError('repository', `write object ${oid}: ${gitCause(written)}`)
}

/** Without an index git reads a pack from its start, as far as it can. */
async function unpackWhatGoes(gitDir: string, pack: string): Promise<void> {
  const child = startGit(gitDir, ['-c', 'core.fsync=all', 'unpack-objects', '-r', '-q'])
  child.stdout.resume()
  await pipeline(createReadStream(pack), child.stdin).catch(() => {})
  const { stderr } = await child.ended
  // What it could not read is lost, what it could not write is not.
  if (saysFull(stderr)) throw new RowbackError('repository', `write ${gitDir}: ${fullDisk}`)
}
