/**
 * Reads one directory of a source. File states and first bytes are read synchronously: of 50,000 small files in
 * one directory that took 0.5 s, with promises 4 to 15 s.
 */

import { type BigIntStats, lstatSync, readlinkSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { hasErrno } from '../errors.ts'
import { specialKind } from '../file-kind.ts'
import { filePrint } from '../file-print.ts'
import { companionOf, isDatabaseFile } from './database-file.ts'
import type { Glob } from './glob.ts'
import { bytesText, fileAt, holdsBytes, shownPath } from './paths.ts'
import type { AssetFile } from './scan.ts'
import { sourceError, systemProblem, unreadable } from './source-error.ts'

/** A directory below the source, or with the empty path the source itself. */
export interface Folder {
  path: string
  /** Whether a pattern includes it, and with it all below. */
  included: boolean
  mode: number
  mtimeNs: bigint
}

/** Whether the file of that path was an asset when `filePrint` said that of it: it is no database then, unread. */
export type IsKnownAsset = (path: string, print: string | undefined) => boolean

/** What is kept and what is entered. */
export interface ScanRules {
  include: Glob
  exclude: Glob
  /** The `identity` of directories that are not entered. */
  skip: ReadonlySet<string>
  isKnownAsset: IsKnownAsset
}

/** What is kept of one directory, in no order. */
export interface FolderContent {
  databases: string[]
  assets: AssetFile[]
  warnings: string[]
  /** The directories in it that are to be entered. */
  folders: Folder[]
}

/** What one name in a directory is. */
interface Item {
  name: string
  path: string
  file: string | Buffer
  stats: BigIntStats
  included: boolean
  excluded: boolean
}

/**
 * Reads a directory below `dir`; undefined if it is gone. What cannot be read is an asset of that kind. Throws a `source`
 * error where the source itself cannot be read, or a database cannot.
 */
export async function readFolder(
  dir: string,
  folder: Folder,
  rules: ScanRules,
): Promise<FolderContent | AssetFile | undefined> {
  const names = await readNames(dir, folder.path)
  if (names === undefined || 'kind' in names) return names
  const denied: AssetFile[] = []
  const items = names.flatMap((name) => readItem(dir, folder, name, rules, denied) ?? [])
  const { databases, files } = readFiles(
    items.filter(({ stats }) => stats.isFile()),
    rules.isKnownAsset,
  )
  const isOwned = ownedBy(databases)
  const kept = items.filter(({ excluded, path }) => !excluded && !isOwned(path))
  const included = kept.filter((item) => item.included && !item.stats.isDirectory())
  const symlinks = included.filter(({ stats }) => stats.isSymbolicLink()).flatMap(readSymlink)
  const skipped = items.filter(({ excluded, path, stats }) => !excluded && isOwned(path) && !stats.isFile())
  return {
    databases,
    assets: [...denied, ...files, ...symlinks].filter(({ path }) => !isOwned(path)),
    warnings: [
      ...skipped.map(
        ({ path }) => `skip ${shownPath(path)}: it has the name of a file of a database beside it`,
      ),
      ...included.flatMap(({ path, stats }) => {
        const kind = specialKind(stats)
        return kind ? [`skip ${shownPath(path)}: it is ${kind}`] : []
      }),
    ],
    folders: kept
      .filter(({ stats }) => stats.isDirectory() && !rules.skip.has(identity(stats)))
      .map(folderOf),
  }
}

/** Whether a path is that of a -wal, -shm or -journal of one of the databases, whatever is there: a restore makes none. */
function ownedBy(databases: readonly string[]): (path: string) => boolean {
  const owners = new Set(databases)
  return (path) => owners.has(companionOf(path) ?? '')
}

/** What tells a directory from all others. */
export function identity({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`
}

async function readNames(dir: string, path: string): Promise<Buffer[] | AssetFile | undefined> {
  try {
    return await readdir(fileAt(dir, path), { encoding: 'buffer' })
  } catch (error) {
    if (path === '') throw sourceError(path, error)
    return hasErrno(error, 'ENOENT', 'ENOTDIR') ? undefined : unreadableAsset(path, systemProblem(error))
  }
}

/** What is kept of something that is there and cannot be read. */
export function unreadableAsset(path: string, problem: string): AssetFile {
  return { path, kind: 'unreadable', size: 0, mode: 0, mtimeNs: 0n, problem }
}

/** The item of a name; undefined if it is gone, or stands among the `denied` ones. */
function readItem(
  dir: string,
  folder: Folder,
  bytes: Buffer,
  rules: ScanRules,
  denied: AssetFile[],
): Item | undefined {
  const name = bytesText(bytes)
  const path = folder.path === '' ? name : `${folder.path}/${name}`
  const file = fileAt(dir, path)
  try {
    const stats = lstatSync(file, { bigint: true, throwIfNoEntry: false })
    if (stats === undefined) return undefined
    const directory = stats.isDirectory()
    const included = folder.included || rules.include(path, directory)
    return { name, path, file, stats, included, excluded: rules.exclude(path, directory) }
  } catch (error) {
    if (!rules.exclude(path, false)) denied.push(unreadableAsset(path, systemProblem(error)))
    return undefined
  }
}

/** Tells the databases among the regular files of one directory, excluded ones too, from the assets. */
function readFiles(
  items: readonly Item[],
  isKnownAsset: IsKnownAsset,
): { databases: string[]; files: AssetFile[] } {
  const excluded = new Map(items.filter((item) => item.excluded).map((item) => [item.name, item]))
  const databases = new Map<string, Item>()
  const others: { item: Item; print: string | undefined }[] = []
  const denied = new Map<string, AssetFile>()
  for (const item of items.filter(({ excluded }) => !excluded)) {
    try {
      const print = filePrint(item.stats)
      const isDatabase = isKnownAsset(item.path, print) ? false : isDatabaseItem(item)
      if (isDatabase === true) databases.set(item.name, item)
      else if (isDatabase === false && item.included) others.push({ item, print })
    } catch (error) {
      denied.set(item.name, unreadableAsset(item.path, systemProblem(error)))
    }
  }
  refuseDeniedDatabases(items, denied)
  for (const { path } of databases.values()) refuseUnopenable(path)
  const files = others.filter(({ item }) => !mayBeDatabase(excluded.get(companionOf(item.name) ?? '')))
  return {
    databases: [...databases.values()].map(({ path }) => path),
    files: [
      ...denied.values(),
      ...files.map(({ item, print }) => ({
        ...assetOf(item),
        kind: 'file' as const,
        size: Number(item.stats.size),
        print,
      })),
    ],
  }
}

/** A file with a -wal, -shm or -journal beside it is a database: a commit without it would be none of the source. */
function refuseDeniedDatabases(items: readonly Item[], denied: ReadonlyMap<string, AssetFile>): void {
  for (const { name } of items) {
    const found = denied.get(companionOf(name) ?? '')
    if (found) throw unreadable(found.path, found.problem ?? '')
  }
}

/** SQLite takes the name of a file as UTF-8. */
function refuseUnopenable(path: string): void {
  if (holdsBytes(path)) throw unreadable(path, 'it is a database, and its path is not valid UTF-8')
}

/** Whether a file is a database; undefined if it is gone. A file shorter than the magic need not be opened. */
function isDatabaseItem({ file, stats }: Item): boolean | undefined {
  return stats.size < 16n ? false : isDatabaseFile(file)
}

/** Whether an excluded file, which need not be readable, is a database or could be one. */
function mayBeDatabase(item: Item | undefined): boolean {
  try {
    return item !== undefined && isDatabaseFile(item.file) === true
  } catch {
    return true
  }
}

function readSymlink(item: Item): AssetFile[] {
  try {
    const target = readTarget(item.file)
    return target === undefined ? [] : [{ ...assetOf(item), kind: 'symlink', target: bytesText(target) }]
  } catch (error) {
    return [unreadableAsset(item.path, systemProblem(error))]
  }
}

/** The text of a symlink; undefined if it is gone or is something else by now. */
function readTarget(file: string | Buffer): Buffer | undefined {
  try {
    return readlinkSync(file, { encoding: 'buffer' })
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'EINVAL')) return undefined
    throw error
  }
}

function assetOf({ path, stats }: Item): Pick<AssetFile, 'path' | 'size' | 'mode' | 'mtimeNs'> {
  return { path, size: 0, mode: permissions(stats), mtimeNs: stats.mtimeNs }
}

function folderOf({ path, stats, included }: Item): Folder {
  return { path, included, mode: permissions(stats), mtimeNs: stats.mtimeNs }
}

function permissions({ mode }: BigIntStats): number {
  return Number(mode) & 0o777
}
