/** What a backup reads: one SQLite file, or a data directory with SQLite files and assets. */

import { stat } from 'node:fs/promises'
import { basename, extname, join, resolve } from 'node:path'
import { type AssetFile, type ScanOptions, scanSource, unreadableAssets } from './assets/scan.ts'
import { unreadable } from './assets/source-error.ts'
import { pathPart } from './dump/names.ts'
import { errorText, hasErrno, RowbackError } from './errors.ts'

export interface SourceDatabase {
  /** Its folder below `databases/`. */
  name: string
  /** Below the data directory; the file's name for a source that is one file. */
  path: string
  file: string
}

export interface Source {
  kind: 'file' | 'directory'
  /** Absolute. */
  path: string
  databases: SourceDatabase[]
  assets: AssetFile[]
  /** What was left out, a sentence each. */
  warnings: string[]
}

export interface SourceOptions {
  include: string[]
  exclude: string[]
  /** The directories of the repository: none of it is an asset where it lies inside the source. */
  skip: readonly string[]
  /** See `ScanOptions`. */
  isKnownAsset?: ScanOptions['isKnownAsset']
}

/** Folders in which a restore in place makes what it is about to put into a source: no part of that. */
export const stagingName = '.rowback-restore-'
export const stagingGlob = `/${stagingName}*/`

/** The folder of the only database of a source that is one file, whatever that file is called. */
export const fileDatabaseName = 'main'

/** Finds the databases and assets of a source; throws a `source` error where there is no database. */
export async function readSource(path: string, options: SourceOptions): Promise<Source> {
  const absolute = resolve(path)
  if (!(await isDirectory(absolute))) return fileSource(absolute)
  const exclude = [...options.exclude, stagingGlob]
  const scanned = await scanSource(absolute, { ...options, exclude })
  if (scanned.databases.length === 0) {
    const [denied] = unreadableAssets(scanned.assets)
    if (denied) throw unreadable(denied.path, `${denied.problem}, and no SQLite database is beside it`)
    throw new RowbackError('source', `read ${absolute}: no SQLite database is in it; nothing was committed`, {
      hint: 'name the data directory of the application, or the database file itself',
    })
  }
  const databases = scanned.databases.map((file) => ({
    name: pathPart(file),
    path: file,
    file: join(absolute, file),
  }))
  return { kind: 'directory', path: absolute, databases, assets: scanned.assets, warnings: scanned.warnings }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    const cause = hasErrno(error, 'ENOENT') ? 'it does not exist' : errorText(error)
    throw new RowbackError('source', `read ${path}: ${cause}; nothing was committed`, { cause: error })
  }
}

function fileSource(path: string): Source {
  const database = { name: fileDatabaseName, path: basename(path), file: path }
  return { kind: 'file', path, databases: [database], assets: [], warnings: [] }
}

/** What a source is called in commit subjects where the settings do not say. */
export function sourceName(path: string): string {
  const name = basename(path)
  return basename(name, extname(name)) || name
}
