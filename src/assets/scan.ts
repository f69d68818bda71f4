/**
 * Finds the databases and assets of a data directory, in the order of their paths' bytes whatever order the file
 * system has. Reads names, states and the first bytes of files; follows no symlink.
 */

import type { BigIntStats } from 'node:fs'
import { stat } from 'node:fs/promises'
import { hasErrno, RowbackError } from '../errors.ts'
import { globs } from './glob.ts'
import { comparePaths, foldersAbove, isSafeAssetPath, parentOf } from './paths.ts'
import { type Folder, type IsKnownAsset, identity, readFolder, unreadableAsset } from './scan-folder.ts'
import { systemProblem } from './source-error.ts'

/** An asset as the scan saw it. */
export interface AssetFile {
  /** Relative to the source, separated by `/`. */
  path: string
  kind: 'file' | 'symlink' | 'directory' | 'unreadable'
  /** In bytes; 0 unless it is a file. */
  size: number
  /** The nine permission bits. */
  mode: number
  mtimeNs: bigint
  /** Of a symlink, its text. */
  target?: string
  /** Of a file, what `filePrint` says of it. */
  print?: string | undefined
  /** Of what cannot be read, be it a file or a directory: why. */
  problem?: string
}

export interface SourceScan {
  /** Paths relative to the source. */
  databases: string[]
  assets: AssetFile[]
  /** A line for each thing that is neither. */
  warnings: string[]
}

/** A path that could not be read, and why. */
export interface Unreadable {
  path: string
  problem: string
}

/** The assets of a scan that could not be read. */
export function unreadableAssets(assets: readonly AssetFile[]): Unreadable[] {
  return assets.flatMap(({ kind, path, problem = '' }) => (kind === 'unreadable' ? [{ path, problem }] : []))
}

/** Globs (see `globs`) as the settings have them. A pattern that matches a directory covers all below it. */
export interface ScanOptions {
  include: readonly string[]
  exclude: readonly string[]
  /** Directories that are never entered, wherever they are: the repository, a spool. */
  skip?: readonly string[]
  /** Files that need not be read to know that they are assets. */
  isKnownAsset?: IsKnownAsset | undefined
}

/**
 * Scans the directory `dir`, which may itself be a symlink.
 *
 * - A file that begins with SQLite's magic is a database unless excluded; its -wal, -shm and -journal belong to it.
 * - Every other file and symlink is an asset if included and not excluded. Excluded directories are not entered.
 * - A directory is an asset if it is included and holds nothing that is kept, or holds something and its mode is
 *   not 0755.
 * - What vanishes meanwhile is not there. Sockets, fifos and devices give a warning.
 * - What cannot be read is an asset of that kind, unless it is a database.
 *
 * Throws a `source` error for a database that cannot be read, and where the source itself cannot.
 */
export async function scanSource(dir: string, options: ScanOptions): Promise<SourceScan> {
  await checkDirectory(dir)
  const rules = {
    include: globs(options.include),
    exclude: globs(options.exclude),
    skip: await identities(options.skip ?? []),
    isKnownAsset: options.isKnownAsset ?? (() => false),
  }
  const found: SourceScan = { databases: [], assets: [], warnings: [] }
  const folders: Folder[] = []
  const waiting: Folder[] = [{ path: '', included: false, mode: 0o755, mtimeNs: 0n }]
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    const content = await readFolder(dir, folder, rules)
    if (content === undefined) continue
    if ('kind' in content) {
      found.assets.push(content)
      continue
    }
    if (folder.path !== '') folders.push(folder)
    for (const path of content.databases) found.databases.push(path)
    for (const asset of content.assets) found.assets.push(asset)
    for (const warning of content.warnings) found.warnings.push(warning)
    for (const inner of content.folders) waiting.push(inner)
  }
  const tooDeep = tooDeepFolders(found.assets)
  const isKept = keptOutside(tooDeep)
  const denied = [...tooDeep.values()].filter(({ path }) => isKept({ path: parentOf(path) }))
  found.assets = [...found.assets.filter(isKept), ...denied]
  for (const asset of directoryAssets(folders.filter(isKept), found)) found.assets.push(asset)
  return sorted(found)
}

/**
 * The directories, by path, that hold a path longer than a manifest takes: the system says that it cannot be read, and names it. They
 * could not be read then.
 */
function tooDeepFolders(assets: readonly AssetFile[]): Map<string, AssetFile> {
  const tooDeep = new Map<string, AssetFile>()
  for (const { path, kind, problem = '' } of assets) {
    if (kind !== 'unreadable' || isSafeAssetPath(path)) continue
    const above = parentOf(path)
    tooDeep.set(above, unreadableAsset(above, problem))
  }
  return tooDeep
}

/** Whether something is neither one of those directories nor below one. */
function keptOutside(folders: ReadonlyMap<string, unknown>): (of: { path: string }) => boolean {
  return ({ path }) => folders.size === 0 || ![...foldersAbove(path), path].some((each) => folders.has(each))
}

async function checkDirectory(dir: string): Promise<void> {
  const stats = await stat(dir).catch((cause: unknown) => {
    const problem = hasErrno(cause, 'ENOENT', 'ENOTDIR') ? 'no such directory' : systemProblem(cause)
    throw new RowbackError('source', `read ${dir}: ${problem}`, { cause })
  })
  if (!stats.isDirectory()) throw new RowbackError('source', `read ${dir}: it is no directory`)
}

/** What tells directories apart under whatever path they are met; those that do not exist are left out. */
async function identities(paths: readonly string[]): Promise<Set<string>> {
  const stats = await Promise.all(paths.map((path) => stat(path, { bigint: true }).catch(() => undefined)))
  return new Set(stats.filter((found): found is BigIntStats => found !== undefined).map(identity))
}

/** The directories that are assets themselves; each of `folders` stands behind the one it is in. */
function* directoryAssets(folders: readonly Folder[], found: SourceScan): Generator<AssetFile> {
  const holding = new Set([''])
  for (const path of found.databases) holdAbove(path, holding)
  for (const { path } of found.assets) holdAbove(path, holding)
  for (const { path, included, mode, mtimeNs } of folders.toReversed()) {
    if (holding.has(path) ? mode === 0o755 : !included) continue
    holdAbove(path, holding)
    yield { path, kind: 'directory', size: 0, mode, mtimeNs }
  }
}

/** Notes that every directory above a path holds something. */
function holdAbove(path: string, holding: Set<string>): void {
  let above = parentOf(path)
  while (!holding.has(above)) {
    holding.add(above)
    above = parentOf(above)
  }
}

function sorted(found: SourceScan): SourceScan {
  found.assets.sort((a, b) => comparePaths(a.path, b.path))
  found.databases.sort(comparePaths)
  found.warnings.sort(comparePaths)
  return found
}
