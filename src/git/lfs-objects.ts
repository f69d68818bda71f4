/** The contents that Git LFS keeps in a git directory: `lfs/objects/<2 digits>/<2 digits>/<sha256>`, as git-lfs has them. */

import { createHash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { chmod, type FileHandle, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { LfsObject } from '../assets/lfs.ts'
import { syncDirectory, syncFile } from '../durable.ts'
import { errorText, hasErrno, RowbackError } from '../errors.ts'
import { makeFolders } from '../folders.ts'
import { fullDisk } from './run.ts'

function lfsFile(gitDir: string, { sha256 }: Pick<LfsObject, 'sha256'>): string {
  return join(gitDir, 'lfs', 'objects', sha256.slice(0, 2), sha256.slice(2, 4), sha256)
}

/** Whether a content is there and has its size; what its bytes are, `lfsDigest` says. */
export function hasLfsObject(gitDir: string, object: LfsObject): boolean {
  const found = statSync(lfsFile(gitDir, object), { throwIfNoEntry: false })
  return found?.isFile() === true && found.size === object.size
}

/**
 * Keeps a content, durably; one that is there and intact stays as it is. `content` is its bytes, or the path of a private file in the
 * git directory that has them, which may be taken. `workDir` is a private folder there. Throws RowbackError('repository').
 */
export async function putLfsObject(
  gitDir: string,
  object: LfsObject,
  content: Buffer | string,
  workDir: string,
): Promise<void> {
  const target = lfsFile(gitDir, object)
  const draft = typeof content === 'string' ? content : join(workDir, object.sha256)
  try {
    // A run that died may have left names that are not durable.
    if (await isIntact(gitDir, object)) return await syncNames(dirname(target), gitDir)
    if (typeof content !== 'string') await writeFile(draft, content, { mode: 0o600 })
    await chmod(draft, 0o444)
    await syncFile(draft)
    await makeFolders(dirname(target))
    await rename(draft, target)
    await syncNames(dirname(target), gitDir)
  } catch (error) {
    const problem = hasErrno(error, 'ENOSPC', 'EDQUOT') ? fullDisk : errorText(error)
    throw new RowbackError('repository', `write ${target}: ${problem}; the last commit is intact`, {
      cause: error,
    })
  }
}

/** Whether a content is there, and is what its name says. */
async function isIntact(gitDir: string, object: LfsObject): Promise<boolean> {
  return hasLfsObject(gitDir, object) && (await lfsDigest(gitDir, object)) === object.sha256
}

/** Makes contents durable that another program has put there; those that it keeps elsewhere are left to it. */
export async function syncLfsObjects(gitDir: string, objects: readonly LfsObject[]): Promise<void> {
  for (const object of objects) {
    const file = lfsFile(gitDir, object)
    try {
      await syncFile(file)
      await syncNames(dirname(file), gitDir)
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'EACCES')) throw error
    }
  }
}

/** Makes the names in a folder durable, and in those above it up to `top`. */
async function syncNames(folder: string, top: string): Promise<void> {
  await syncDirectory(folder)
  if (folder !== top) await syncNames(dirname(folder), top)
}

/** The SHA-256 of what is there under the name of a content; empty where the disk cannot read it, undefined where nothing is. */
export async function lfsDigest(gitDir: string, object: LfsObject): Promise<string | undefined> {
  const hash = createHash('sha256')
  try {
    for await (const piece of createReadStream(lfsFile(gitDir, object), { highWaterMark: 2 ** 20 }))
      hash.update(piece as Buffer)
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'EISDIR', 'ENOTDIR')) return undefined
    if (hasErrno(error, 'EIO')) return ''
    throw new RowbackError('repository', `read ${lfsFile(gitDir, object)}: ${errorText(error)}`, {
      cause: error,
    })
  }
  return hash.digest('hex')
}

/** Reads and hashes contents, and moves those that are damaged out of the way, to `lfs/bad`, as `git lfs fsck` does. */
export async function setDamagedAside<T extends LfsObject>(
  gitDir: string,
  objects: readonly T[],
): Promise<{ missing: T[]; damaged: T[] }> {
  const found: { missing: T[]; damaged: T[] } = { missing: [], damaged: [] }
  for (const object of objects) {
    const digest = await lfsDigest(gitDir, object)
    if (digest === object.sha256) continue
    if (digest !== undefined) await setAside(gitDir, object)
    found[digest === undefined ? 'missing' : 'damaged'].push(object)
  }
  return found
}

async function setAside(gitDir: string, object: LfsObject): Promise<void> {
  const aside = join(gitDir, 'lfs', 'bad', object.sha256)
  try {
    await makeFolders(dirname(aside))
    await rename(lfsFile(gitDir, object), aside)
  } catch (error) {
    throw new RowbackError('repository', `move ${lfsFile(gitDir, object)} to ${aside}: ${errorText(error)}`, {
      cause: error,
    })
  }
}

/** Appends a content to an open file, and returns the SHA-256 of what that was. Throws the system's error. */
export async function copyLfsObject(gitDir: string, object: LfsObject, target: FileHandle): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(lfsFile(gitDir, object), { highWaterMark: 2 ** 20 })) {
    hash.update(piece as Buffer)
    await target.appendFile(piece as Buffer)
  }
  return hash.digest('hex')
}
