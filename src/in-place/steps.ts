/** What a restore in place does to the files of a source, as steps. Pure. */

import type { AssetEntry } from '../assets/manifest.ts'
import { comparePaths, foldersAbove } from '../assets/paths.ts'
import { planAssets } from '../assets/plan.ts'
import type { ManifestDatabase } from '../dump/manifest.ts'
import { companionFiles } from '../sqlite/source-file.ts'
import type { Present } from './live-source.ts'

/** What a commit holds of what the settings cover. */
export interface Wanted {
  databases: { database: ManifestDatabase; path: string }[]
  assets: AssetEntry[]
}

/** Paths are below the root of the source. Carried out in this order; what has been done already does no harm. */
export interface Steps {
  /** Files and symlinks that go. */
  remove: string[]
  /** Directories that go if nothing is left in them, the deepest first. */
  removeFolders: string[]
  /** Directories that must be there, each behind the one it is in, with their modes. */
  folders: { path: string; mode: number }[]
  /** What is renamed into its place, after what SQLite would look for beside it is gone. */
  put: { path: string; clear: string[] }[]
}

/**
 * The steps, and the assets that have to be made for them: those that are not there as they are wanted. Throws a `dump`
 * error for paths that cannot be beside one another.
 */
export function stepsTo(
  wanted: Wanted,
  present: Present,
  isUnchanged: (asset: AssetEntry) => boolean,
): { steps: Steps; made: AssetEntry[] } {
  const files = wanted.assets.filter(({ kind }) => kind !== 'directory')
  const databases = wanted.databases.map(({ path }) => path)
  const kept = new Set([...databases, ...files.map(({ path }) => path)])
  const isUntold = untoldBy(wanted.assets)
  const made = files.filter((asset) => hasContent(asset) && !isUnchanged(asset))
  const beside = [...new Set([...databases, ...present.databases])].flatMap(companionFiles)
  const clear = (path: string): string[] => companionFiles(path).filter((found) => !kept.has(found))
  const folders = foldersOf(wanted)
  const cleared = new Set(databases.flatMap(clear))
  const remove = [...present.databases, ...presentFiles(present), ...beside].filter(
    (path) => !kept.has(path) && !cleared.has(path) && !isUntold(path),
  )
  return {
    steps: {
      remove: [...new Set(remove)].sort(comparePaths),
      removeFolders: goneFolders(present, remove, new Set(folders.map(({ path }) => path))).filter(
        (path) => !isUntold(path),
      ),
      folders,
      put: [
        ...databases.map((path) => ({ path, clear: clear(path) })),
        ...made.map(({ path }) => ({ path, clear: [] })),
      ],
    },
    made,
  }
}

function hasContent({ kind }: AssetEntry): boolean {
  return kind === 'file' || kind === 'symlink'
}

/** Whether a commit says nothing of a path: it could not be read, or lies in a directory that could not. It stays. */
function untoldBy(assets: readonly AssetEntry[]): (path: string) => boolean {
  const unreadable = new Set(assets.filter(({ kind }) => kind === 'unreadable').map(({ path }) => path))
  return (path) => unreadable.size > 0 && [path, ...foldersAbove(path)].some((at) => unreadable.has(at))
}

function presentFiles({ assets }: Present): string[] {
  return assets.filter(({ kind }) => kind !== 'directory').map(({ path }) => path)
}

function foldersOf({ databases, assets }: Wanted): Steps['folders'] {
  const none = { kind: 'file', size: 0, mode: 0, mtimeNs: 0n, sha256: '' } as const
  return planAssets([...assets, ...databases.map(({ path }) => ({ ...none, path }))]).directories
}

function goneFolders(present: Present, removed: readonly string[], wanted: ReadonlySet<string>): string[] {
  const empty = present.assets.filter(({ kind }) => kind === 'directory').map(({ path }) => path)
  const folders = new Set([...removed.flatMap(foldersAbove), ...empty])
  return [...folders].filter((path) => !wanted.has(path)).sort((a, b) => comparePaths(b, a))
}
