/**
 * Makes and removes a repository in a directory that was there, step by step: a mark says that it is not complete, and what
 * is found with the mark is made anew.
 */

import { existsSync, readdirSync, rmSync } from 'node:fs'
import { readdir, rm, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { syncDirectory } from '../durable.ts'
import { hasErrno } from '../errors.ts'
import { onInterrupt } from '../interrupt.ts'
import { lockNewRepository } from './lock.ts'

/** Makes the files of a repository in a directory that has none of them. */
export type Make = (gitDir: string) => Promise<void>

const mark = join('rowback', 'unfinished')

/** What git and we make in a repository, but for `rowback`, where the mark and the lock are. */
const ownNames = new Set(
  'HEAD config description branches hooks info lfs logs objects packed-refs refs reftable'.split(' '),
)

/** The lock, what it is made of and what takes it over, and the mark. */
const ownInside = /^(?:lock(?:\.[0-9a-f]{12})*(?:\.new-[0-9a-f]{6}-\d+-[0-9a-f]{8})?|unfinished)$/

/**
 * Whether there is nothing, or an empty directory, at an absolute path, or what one that died has left of a repository that it
 * made or removed there. What is no directory that can be read is not vacant.
 */
export async function isVacant(dir: string): Promise<boolean> {
  try {
    const names = await readdir(dir)
    return names.length === 0 || (await isUnfinished(dir, names))
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return true
    if (hasErrno(error, 'ENOTDIR', 'EACCES')) return false
    throw error
  }
}

/** Before the mark is made, and when it is gone, there may be a lock; whatever it says, a repository with a ref is one. */
async function isUnfinished(dir: string, names: readonly string[]): Promise<boolean> {
  if (!names.includes('rowback')) return false
  if (!existsSync(join(dir, mark))) {
    const inside = names.length === 1 ? await readdir(join(dir, 'rowback')) : names
    return inside.every((name) => ownInside.test(name))
  }
  if (names.includes('packed-refs')) return false
  const refs = names.includes('refs')
    ? await readdir(join(dir, 'refs'), { recursive: true, withFileTypes: true })
    : []
  return refs.every((entry) => entry.isDirectory())
}

/** Makes a repository in a directory that is there; false where it is not vacant any more when the lock is to be had. */
export async function makeWithin(dir: string, make: Make, waitMs: number | undefined): Promise<boolean> {
  const unlock = await lockNewRepository(dir, { waitMs })
  try {
    if (!(await isVacant(dir))) return false
    await makeMarked(dir, make)
    return true
  } finally {
    await unlock()
  }
}

async function makeMarked(dir: string, make: Make): Promise<void> {
  await setMark(dir)
  const forget = onInterrupt(() => removeMade(dir))
  try {
    removeMade(dir)
    await make(dir)
  } catch (error) {
    // Where that cannot be done, the mark is left, and the next one that makes this repository does it.
    await removeStore(dir).catch(() => {})
    throw error
  } finally {
    forget()
  }
  await rm(join(dir, mark))
  await syncDirectory(join(dir, 'rowback'))
}

/**
 * Removes a repository that has no commit, all but its directory and what is not of a repository. For the holder of its lock,
 * which goes, too.
 */
export async function removeStore(gitDir: string): Promise<void> {
  const own = join(gitDir, 'rowback')
  await setMark(gitDir)
  removeMade(gitDir)
  for (const name of await readdir(own))
    if (!ownInside.test(name)) await rm(join(own, name), { recursive: true })
  await rm(join(gitDir, mark))
  await rm(join(own, 'lock'))
  // Whoever has taken the lock since needs its folder.
  await rmdir(own).catch(() => {})
}

async function setMark(dir: string): Promise<void> {
  await writeFile(join(dir, mark), '')
  await syncDirectory(join(dir, 'rowback'))
}

function removeMade(dir: string): void {
  for (const name of readdirSync(dir))
    if (ownNames.has(name.replace(/\.lock$/, ''))) rmSync(join(dir, name), { recursive: true })
}
