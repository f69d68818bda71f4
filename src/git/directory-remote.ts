/**
 * Remotes that are directories of this machine: the git that receives there is started by us, so it can be told to make
 * durable what a branch relies on before the branch moves. That of a server does as its owner has set it up.
 */

import { existsSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { syncDirectory } from '../durable.ts'
import { hasErrno } from '../errors.ts'
import { packFolder } from './session.ts'
import { removeStaleLocks } from './stale-locks.ts'

/** The directory that an address leads to, bare or not; undefined for one of a server, or the name of a git remote. */
export function remoteDirectory(url: string): string | undefined {
  const path = /^file:\/\//i.test(url) ? filePath(url) : resolve(url)
  return path !== undefined && statSync(path, { throwIfNoEntry: false })?.isDirectory() ? path : undefined
}

function filePath(url: string): string | undefined {
  try {
    return resolve(fileURLToPath(url))
  } catch {
    return undefined
  }
}

/**
 * Options of git-push(1). By itself git syncs packs, but neither refs nor the loose objects that a small push becomes
 * (git-config(1), core.fsync); it does not hand settings on to a git that it starts.
 */
export const durableReceive = '--receive-pack=git -c core.fsync=all -c receive.unpackLimit=1 receive-pack'

/**
 * Removes the locks that a push that was killed has left: git would refuse every later one. What may not be removed stays, and
 * git says so.
 */
export async function removeReceiverLocks(directory: string): Promise<void> {
  await removeStaleLocks(gitDirIn(directory)).catch(() => {})
}

/** The git directory of a repository that may be bare. */
export function gitDirIn(directory: string): string {
  return existsSync(join(directory, '.git')) ? join(directory, '.git') : directory
}

/** Makes the names of what a push has brought durable: git syncs no directory. */
export async function syncReceived(directory: string, branch: string): Promise<void> {
  const gitDir = gitDirIn(directory)
  const packs = packFolder(gitDir)
  const refs = foldersUp(join(gitDir, 'refs', 'heads', branch), gitDir)
  for (const folder of [packs, dirname(packs), ...refs]) await syncNames(folder)
}

/** The folders that a file is in, the innermost first, up to one of them. */
function foldersUp(file: string, top: string): string[] {
  const folder = dirname(file)
  return folder === top ? [top] : [folder, ...foldersUp(folder, top)]
}

/** A repository may keep its refs elsewhere than in files. */
async function syncNames(folder: string): Promise<void> {
  await syncDirectory(folder).catch((error: unknown) => {
    if (!hasErrno(error, 'ENOENT')) throw error
  })
}
