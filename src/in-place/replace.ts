/** Carries out the steps of a restore in place: renames, as fast as the disk is, and not to be interrupted by a signal. */

import {
  chmodSync,
  chownSync,
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  rmSync,
  type Stats,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { hasErrno } from '../errors.ts'
import type { Journal } from './journal.ts'
import type { Steps } from './steps.ts'

/** Carries out the steps, or the rest of them. Throws the system's error; what is left can be begun again. */
export function replaceFiles({ root, staging, steps }: Journal & { steps: Steps }): void {
  const touched = new Set<string>()
  for (const path of [...steps.removeFolders, ...steps.folders.map((folder) => folder.path)])
    openFolder(join(root, path))
  for (const path of steps.remove) if (remove(join(root, path))) touched.add(dirname(path))
  for (const path of steps.removeFolders) if (removeIfEmpty(join(root, path))) touched.add(dirname(path))
  for (const { path } of steps.folders) if (makeFolder(join(root, path))) touched.add(dirname(path))
  for (const put of steps.put) if (putFile(root, staging, put)) touched.add(dirname(put.path))
  for (const { path, mode } of steps.folders.toReversed()) chmodSync(join(root, path), mode)
  for (const path of [...touched, ...steps.folders.map((folder) => folder.path)]) syncFolder(join(root, path))
}

/** Lets the owner change what is in a directory, until it gets its mode or goes. */
function openFolder(path: string): void {
  const stats = statsOf(path)
  if (stats?.isDirectory() && (stats.mode & 0o700) !== 0o700) chmodSync(path, (stats.mode & 0o777) | 0o700)
}

function remove(path: string): boolean {
  const stats = statsOf(path)
  if (stats === undefined || stats.isDirectory()) return false
  rmSync(path)
  return true
}

function removeIfEmpty(path: string): boolean {
  try {
    rmdirSync(path)
    return true
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTEMPTY', 'ENOTDIR', 'EEXIST')) return false
    throw error
  }
}

function makeFolder(path: string): boolean {
  if (statsOf(path)?.isDirectory()) return false
  mkdirSync(path, { mode: 0o700 })
  const { uid, gid } = lstatSync(dirname(path))
  try {
    chownSync(path, uid, gid)
  } catch (error) {
    if (!hasErrno(error, 'EPERM')) throw error
  }
  return true
}

/** Puts what has not been put before. A database must not meet the WAL of another: that goes first. */
function putFile(root: string, staging: string, { path, clear }: Steps['put'][number]): boolean {
  const file = join(staging, path)
  if (statsOf(file) === undefined) return false
  for (const beside of clear) remove(join(root, beside))
  renameSync(file, join(root, path))
  return true
}

function statsOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false })
  } catch (error) {
    if (hasErrno(error, 'ENOTDIR')) return undefined
    throw error
  }
}

/** Makes renames durable; a directory that is gone, or that this user may not read, is left out. */
function syncFolder(path: string): void {
  try {
    const descriptor = openSync(path, 'r')
    try {
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'EACCES', 'EISDIR', 'EPERM', 'EINVAL')) throw error
  }
}
