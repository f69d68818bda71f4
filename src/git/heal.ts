/**
 * Brings damaged and missing objects back from a remote, and keeps what else is intact in a damaged pack. For the holder of
 * the repository's lock. Nothing is taken away before what the remote has is there.
 */

import { createReadStream } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { hasErrno, RowbackError } from '../errors.ts'
import type { Damage } from './damage.ts'
import { addOwnRemote, ownRemote } from './own-remote.ts'
import type { SettledRemote } from './remote-address.ts'
import { fetchWanted, RemoteGitError, remoteError } from './remote-git.ts'
import { checkRemoteUrl, type Remote, redactUrl } from './remote-url.ts'
import { git, gitCause, startGit } from './run.ts'
import { makeGitDirectory, packFolder, publishObjects } from './session.ts'
import type { Store } from './store.ts'
import { blobOid } from './tree.ts'
import { withWorkDir } from './work-dir.ts'

/** Where damaged files are kept until all is healed: a git directory that borrows the objects of the real one. */
export function damagedFolder(gitDir: string): string {
  return join(gitDir, 'rowback', 'damaged')
}

/** Heals as far as the remote has the branch's objects. Throws RowbackError('remote') where that cannot be read. */
export async function heal(store: Store, damage: Damage, remote: SettledRemote): Promise<void> {
  const { gitDir } = store
  await fetchObjects(store, damage, remote)
  await setAside(gitDir, damage)
  const folder = packFolder(damagedFolder(gitDir))
  for (const file of await readdir(folder))
    if (file.endsWith('.pack')) await salvage(gitDir, join(folder, file))
}

/** Forgets what was damaged. */
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
  const settings = ['fetch.fsckObjects=true', 'fetch.unpackLimit=1', 'core.fsync=all']
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

/** Moves damaged files out of the repository. */
async function setAside(gitDir: string, { packs, loose }: Damage): Promise<void> {
  const aside = damagedFolder(gitDir)
  await makeGitDirectory(aside, 'none')
  await writeFile(join(aside, 'config'), '[core]\n\trepositoryFormatVersion = 0\n\tbare = true\n')
  await writeFile(join(aside, 'objects', 'info', 'alternates'), '../../../objects\n')
  const files = packs.flatMap((pack) =>
    ['idx', 'rev', 'bitmap', 'pack'].map((end) => join('objects', 'pack', `${pack}.${end}`)),
  )
  for (const file of [...files, ...loose]) {
    await mkdir(dirname(join(aside, file)), { recursive: true })
    await rename(join(gitDir, file), join(aside, file)).catch((error: unknown) => {
      if (!hasErrno(error, 'ENOENT')) throw error
    })
  }
}

/** Brings back a pack that only lacks a sound index, else what is intact in it and nowhere else. */
async function salvage(gitDir: string, pack: string): Promise<void> {
  const index = pack.replace(/pack$/, 'idx')
  const old = await readFile(index).catch(() => undefined)
  const indexed = await git(damagedFolder(gitDir), [
    'index-pack',
    '--fsck-objects',
    '-o',
    `${index}.new`,
    pack,
  ])
  if (indexed.code === 0) {
    await rename(pack, join(packFolder(gitDir), basename(pack)))
    await rename(`${index}.new`, join(packFolder(gitDir), basename(index)))
    return
  }
  await rm(`${index}.new`, { force: true })
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
  if (type === 'blob' && blobOid(content.stdout) !== oid) return
  const written = await git(gitDir, ['-c', 'core.fsync=all', 'hash-object', '-w', '-t', type, '--stdin'], {
    input: content.stdout,
  })
  if (written.code !== 0) throw new RowbackError('repository', `write object ${oid}: ${gitCause(written)}`)
}

/** Without an index git reads a pack from its start, as far as it can. */
async function unpackWhatGoes(gitDir: string, pack: string): Promise<void> {
  const child = startGit(gitDir, ['-c', 'core.fsync=all', 'unpack-objects', '-r', '-q'])
  child.stdout.resume()
  await pipeline(createReadStream(pack), child.stdin).catch(() => {})
  await child.ended
}
