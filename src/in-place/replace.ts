/** Carries out the steps of a restore in place: renames, as fast as the disk is, and not to be interrupted by a signal. */

import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  type Stats,
} from 'node:fs'
import { dirname } from 'node:path'
import { fileAt } from '../assets/paths.ts'
import { syncDirectory } from '../durable.ts'
import { hasErrno } from '../errors.ts'
import type { Journal } from './journal.ts'
import type { Steps } from './steps.ts'

/** Carries out the steps, or the rest of them, durably. Throws the system's error; what is left can be begun again. */
export async function replaceFiles(journal: Journal & { steps: Steps }): Promise<void> {
  const { root, steps } = journal
  const touched = carryOut(journal)
  for (const path of new Set([...touched, ...steps.folders.map((folder) => folder.path)])) {
    const folder = fileAt(root, path)
    // The directory of what was removed may be gone, too.
    if (statsOf(folder)?.isDirectory()) await syncDirectory(folder)
  }
}

/** The steps without what was put already. */
export function stepsLeft({ staging, steps }: Journal & { steps: Steps }): Steps {
  return { ...steps, put: steps.put.filter(({ path }) => statsOf(fileAt(staging, path)) !== undefined) }
}

/** Returns the directories in which names have changed. */
function carryOut({ root, staging, steps }: Journal & { steps: Steps }): Set<string> {
  const touched = new Set<string>()
  for (const path of [...steps.removeFolders, ...steps.folders.map((folder) => folder.path)])
    openFolder(fileAt(root, path))
  for (const path of steps.remove) if (remove(fileAt(root, path))) touched.add(dirname(path))
  for (const path of steps.removeFolders) if (removeIfEmpty(fileAt(root, path))) touched.add(dirname(path))
  for (const { path } of steps.folders) if (makeFolder(root, path)) touched.add(dirname(path))
  for (const put of steps.put) if (putFile(root, staging, put)) touched.add(dirname(put.path))
  for (const { path, mode } of steps.folders.toReversed()) setMode(fileAt(root, path), mode)
  return touched
}

/** Lets the owner change what is in a directory, until it gets its mode or goes. */
function openFolder(path: string | Buffer): void {
  const stats = statsOf(path)
  if (stats?.isDirectory()) setMode(path, (stats.mode & 0o777) | 0o700)
}

/** Sets the permission bits, and leaves the others, as that a group is inherited, as they are. */
function setMode(path: string | Buffer, mode: number): void {
  const found = lstatSync(path).mode & 0o7777
  if ((found & 0o777) !== mode) chmodSync(path, (found & 0o7000) | mode)
}

function remove(path: string | Buffer): boolean {
  const stats = statsOf(path)
  if (stats === undefined || stats.isDirectory()) return false
  rmSync(path)
  return true
}

function removeIfEmpty(path: string | Buffer): boolean {
  try {
    rmdirSync(path)
    return true
  } catch (error) {
    // Of a file system that is mounted there, the directory stays.
    if (hasErrno(error, 'ENOENT', 'ENOTEMPTY', 'ENOTDIR', 'EEXIST', 'EBUSY')) return false
    throw error
  }
}

function makeFolder(root: string, path: string): boolean {
  const folder = fileAt(root, path)
  if (statsOf(folder)?.isDirectory()) return false
  mkdirSync(folder, { mode: 0o700 })
  const { uid, gid } = lstatSync(fileAt(root, dirname(path)))
  try {
    chownSync(folder, uid, gid)
  } catch (error) {
    if (!hasErrno(error, 'EPERM')) throw error
  }
  return true
}

/** Puts what has not been put before. A database must not meet the WAL of another: that goes first. */
function putFile(root: string, staging: string, { path, clear }: Steps['put'][number]): boolean {
  const file = fileAt(staging, path)
  if (statsOf(file) === undefined) return false
  for (const beside of clear) remove(fileAt(root, beside))
  renameSync(file, fileAt(root, path))
  return true
}

function statsOf(path: string | Buffer): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false })
  } catch (error) {
    if (hasErrno(error, 'ENOTDIR')) return undefined
    throw error
  }
}
