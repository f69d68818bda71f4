/** The source that a repository holds the backups of, as a restore in place sees it: what it may touch, and what is there. */

import { lstatSync } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { isDatabaseFile } from '../assets/database-file.ts'
import { globsFromAbove } from '../assets/glob.ts'
import { comparePaths } from '../assets/paths.ts'
import { type AssetFile, scanSource } from '../assets/scan.ts'
import { errorText, hasErrno, RowbackError } from '../errors.ts'
import type { Store } from '../git/store.ts'
import { sourceKey } from '../repository.ts'
import { stagingGlob } from '../source.ts'
import { companionFiles } from '../sqlite/source-file.ts'

export interface AssetRules {
  include: string[]
  exclude: string[]
}

export interface LiveSource {
  kind: 'file' | 'directory'
  /** As the repository names it; absolute. */
  path: string
  /** The real directory that all paths are relative to. */
  root: string
  /** The real name of a source that is one file. */
  file: string | undefined
  /** Whether a backup with these settings reads what is at a path; all else is never touched. */
  covers(path: string, kind: 'database' | 'asset' | 'directory'): boolean
  /** The databases and assets that are there. */
  present(): Promise<Present>
}

export interface Present {
  /** Paths below the root. */
  databases: string[]
  assets: AssetFile[]
}

/** Finds the source of a repository. Throws a `usage` error where it names none, a `target` error where it is missing. */
export async function liveSource(store: Store, rules: AssetRules): Promise<LiveSource> {
  const path = await store.config(sourceKey)
  if (path === undefined)
    throw new RowbackError(
      'usage',
      `restore in place: ${store.dir} does not name the source of its backups`,
      {
        hint: 'rowback restore REV --to DIR',
      },
    )
  const { real, isDirectory } = await realPath(path)
  return isDirectory ? directorySource(path, real, rules, store) : fileSource(path, real)
}

async function realPath(path: string): Promise<{ real: string; isDirectory: boolean }> {
  try {
    const real = await realpath(path)
    return { real, isDirectory: (await stat(real)).isDirectory() }
  } catch (error) {
    const cause = hasErrno(error, 'ENOENT') ? 'it does not exist' : errorText(error)
    throw new RowbackError('target', `restore in place of ${path}: ${cause}; nothing was written`, {
      hint: 'rowback restore REV --to DIR',
      cause: error,
    })
  }
}

function fileSource(path: string, real: string): LiveSource {
  const [root, name] = [dirname(real), basename(real)]
  const own = [name, ...companionFiles(name)]
  const present = async (): Promise<Present> =>
    isDatabaseFile(real)
      ? { databases: [name], assets: [] }
      : { databases: [], assets: rawFiles(root, [name]) }
  return { kind: 'file', path, root, file: name, covers: (found) => own.includes(found), present }
}

async function directorySource(
  path: string,
  root: string,
  rules: AssetRules,
  store: Store,
): Promise<LiveSource> {
  const skip = [resolve(store.dir), store.gitDir]
  const own = await Promise.all(skip.map(async (dir) => relative(root, await realpath(dir))))
  const isOwn = (found: string): boolean => own.some((dir) => dir !== '' && `${found}/`.startsWith(`${dir}/`))
  const exclude = [...rules.exclude, stagingGlob]
  const [isIncluded, isExcluded] = [globsFromAbove(rules.include), globsFromAbove(exclude)]
  const covers: LiveSource['covers'] = (found, kind) => {
    const isFolder = kind === 'directory'
    return (
      !isOwn(found) && !isExcluded(found, isFolder) && (kind === 'database' || isIncluded(found, isFolder))
    )
  }
  const present = (): Promise<Present> => scanSource(root, { ...rules, exclude, skip })
  return { kind: 'directory', path, root, file: undefined, covers, present }
}

/** The bytes of databases with their WALs and journals as assets: what is kept of one that no dump can be made of. */
export function rawFiles(root: string, databases: readonly string[]): AssetFile[] {
  const paths = databases.flatMap((path) => [path, `${path}-wal`, `${path}-journal`])
  const files = paths.flatMap((path): AssetFile[] => {
    const stats = lstatSync(join(root, path), { bigint: true, throwIfNoEntry: false })
    if (!stats?.isFile()) return []
    const { size, mode, mtimeNs } = stats
    return [{ path, kind: 'file', size: Number(size), mode: Number(mode) & 0o777, mtimeNs }]
  })
  return files.sort((a, b) => comparePaths(a.path, b.path))
}
