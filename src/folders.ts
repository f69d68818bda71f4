/** Folders that are made on the way to something, and taken back if that does not come to be. */

import { existsSync, rmdirSync } from 'node:fs'
import { mkdir, readdir, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { hasErrno } from './errors.ts'

/**
 * Makes a folder and those above it, where they are missing; `mode` is for all that are made. Throws the system's error: Node's own
 * `recursive` says ENOENT of a disk that is full or read-only.
 */
export async function makeFolders(path: string, mode = 0o777): Promise<void> {
  try {
    await makeFolder(path, mode)
  } catch (error) {
    if (!hasErrno(error, 'ENOENT') || dirname(path) === path) throw error
    await makeFolders(dirname(path), mode)
    await makeFolder(path, mode)
  }
}

/** Makes a folder in one that is there, unless it is there itself. */
export async function makeFolder(path: string, mode: number): Promise<void> {
  await mkdir(path, { mode }).catch((error: unknown) => {
    if (!hasErrno(error, 'EEXIST')) throw error
  })
}

/** The folders above an absolute path that do not exist, the deepest first. */
export function missingParents(path: string): string[] {
  const missing: string[] = []
  for (let folder = dirname(path); !existsSync(folder); folder = dirname(folder)) missing.push(folder)
  return missing
}

/** Removes folders, given the deepest first, up to one that is gone or holds something. */
export function removeEmptyFolders(folders: readonly string[]): void {
  try {
    for (const folder of folders) rmdirSync(folder)
  } catch {}
}

/**
 * Removes a folder that holds nothing but folders, at every depth; nothing happens where there is none. Throws the system's error
 * where it holds anything else.
 */
export async function removeHollowFolder(path: string): Promise<void> {
  const entries = await readdir(path, { withFileTypes: true }).catch((error: unknown) => {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  })
  if (entries === undefined) return
  for (const entry of entries) if (entry.isDirectory()) await removeHollowFolder(join(path, entry.name))
  await rmdir(path)
}
