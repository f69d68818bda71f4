/** Folders that are made on the way to something, and are taken back if that does not come to be. */

import { existsSync, rmdirSync } from 'node:fs'
import { dirname } from 'node:path'

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
