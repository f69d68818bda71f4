/** What a restore of assets makes, and in which order; refuses what could leave its root. Pure. */

import { RowbackError } from '../errors.ts'
import { type AssetEntry, type FileEntry, fileEntries, type SymlinkEntry } from './manifest.ts'
import { comparePaths, isSafeAssetPath, parentOf, shownPath } from './paths.ts'

/** The mode of directories that the manifest does not list. */
const usualMode = 0o755

export interface AssetPlan {
  /** All that are needed, listed or not, each behind the one it is in. */
  directories: { path: string; mode: number }[]
  files: FileEntry[]
  symlinks: SymlinkEntry[]
  /** Two paths that a file system which folds case takes for one. */
  collision: [string, string] | undefined
}

/**
 * The plan of a restore; `others` are paths that something else is made at, in directories of the plan. Throws a `dump` error for
 * a path that is not safe or is given twice, and for one below a file or a symlink.
 */
export function planAssets(entries: readonly AssetEntry[], others: readonly string[] = []): AssetPlan {
  const kinds = kindsOf(entries)
  const modes = new Map<string, number>()
  for (const path of [...entries.map((entry) => entry.path), ...others]) {
    for (let above = parentOf(path); above !== '' && !modes.has(above); above = parentOf(above)) {
      const kind = kinds.get(above) ?? 'directory'
      if (kind !== 'directory')
        throw pathError(path, `${shownPath(above)} is ${kindNames[kind]}, no directory`)
      modes.set(above, usualMode)
    }
  }
  for (const entry of entries) if (entry.kind === 'directory') modes.set(entry.path, entry.mode)
  const directories = [...modes].map(([path, mode]) => ({ path, mode }))
  return {
    directories: directories.sort((a, b) => comparePaths(a.path, b.path)),
    files: fileEntries(entries),
    symlinks: entries.filter((entry) => entry.kind === 'symlink'),
    collision: firstCollision([...modes.keys(), ...kinds.keys()]),
  }
}

const kindNames = {
  file: 'a file',
  listed: 'a file',
  symlink: 'a symlink',
  unreadable: 'a path that could not be read',
} as const

function kindsOf(entries: readonly AssetEntry[]): Map<string, AssetEntry['kind']> {
  const kinds = new Map<string, AssetEntry['kind']>()
  for (const { path, kind } of entries) {
    if (!isSafeAssetPath(path)) throw pathError(path, 'its path is not safe')
    if (kinds.has(path)) throw pathError(path, 'the manifest lists it twice')
    kinds.set(path, kind)
  }
  return kinds
}

function firstCollision(paths: readonly string[]): [string, string] | undefined {
  const folded = new Map<string, string>()
  for (const path of paths) {
    const key = path.normalize('NFC').toLowerCase()
    const other = folded.get(key) ?? path
    if (other !== path) return [other, path]
    folded.set(key, path)
  }
  return undefined
}

function pathError(path: string, problem: string): RowbackError {
  return new RowbackError('dump', `restore ${shownPath(path)}: ${problem}`)
}
