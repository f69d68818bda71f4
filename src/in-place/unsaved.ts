/** What was written to a source after it was saved: a restore in place would lose that. */

import { type BigIntStats, lstatSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { AssetEntry } from '../assets/manifest.ts'
import { bytesText, fileAt, shownPath } from '../assets/paths.ts'
import { systemProblem } from '../assets/source-error.ts'
import { hasErrno, RowbackError } from '../errors.ts'
import { companionFiles } from '../sqlite/source-file.ts'
import type { LiveSource } from './live-source.ts'
import { type Task, taskName } from './refusals.ts'
import type { Steps } from './steps.ts'

/** What differs once SQLite has written to a database: of its file, and of its WAL and journal. */
export interface DatabasePrint {
  file: string
  beside: string
}

/** By path. */
export type DatabasePrints = Record<string, DatabasePrint>

/** Taken before databases are saved: what is written while they are may be in what is saved, or not. */
export function databasePrints({ root }: LiveSource, databases: readonly string[]): DatabasePrints {
  return Object.fromEntries(databases.map((path) => [path, databasePrint(join(root, path))]))
}

function databasePrint(file: string): DatabasePrint {
  const [wal = '', , journal = ''] = companionFiles(file)
  return { file: sizeAndTime(file), beside: sizeAndTime(wal) + sizeAndTime(journal) }
}

function sizeAndTime(path: string): string {
  const stats = statsOf(path)
  // Whoever reads a database may leave an empty WAL.
  return stats === undefined || stats.size === 0n ? '' : `${stats.size} ${stats.mtimeNs}`
}

/** The prints of databases that were closed since: what lay beside them has gone into them, of the others nothing has changed. */
export function closedPrints(live: LiveSource, before: DatabasePrints): DatabasePrints {
  const now = databasePrints(live, Object.keys(before))
  const prints = Object.entries(before).map(([path, print]) => [
    path,
    print.beside === '' ? print : now[path],
  ])
  return Object.fromEntries(prints) as DatabasePrints
}

/** What is saved of a source. */
export interface Saved {
  databases: DatabasePrints
  /** By path. */
  assets: ReadonlyMap<string, AssetEntry>
}

/** Throws a `source` error where the steps would remove or replace what was written since it was saved. */
export function refuseUnsaved(task: Task, saved: Saved, steps: Steps, halfDone?: string): void {
  if (task.force) return
  const unsaved = changedPaths(steps).find((path) => isUnsaved(task.live, saved, path))
  if (unsaved === undefined) return
  throw new RowbackError(
    'source',
    `${taskName(task)}: ${shownPath(unsaved)} was written after it was saved; ${halfDone ?? 'it was left untouched'}`,
    {
      hint: halfDone
        ? 'copy it away; then --force goes on, and loses what was written'
        : 'stop what writes there and run it again; --force loses what was written',
    },
  )
}

/** What is removed or replaced, but for what belongs to a database. */
function changedPaths({ remove, put }: Steps): string[] {
  const paths = [...remove, ...put.map(({ path }) => path)]
  const beside = new Set(paths.flatMap(companionFiles))
  return paths.filter((path) => !beside.has(path))
}

function isUnsaved(live: LiveSource, { databases, assets }: Saved, path: string): boolean {
  const saved = Object.hasOwn(databases, path) ? databases[path] : undefined
  if (saved === undefined) return stateOf(live.root, path, assets.get(path)) === 'written'
  const now = databasePrint(join(live.root, path))
  // What is not there any more was removed by us, or is lost anyway.
  if (now.file === '') return false
  return now.file !== saved.file || (now.beside !== '' && now.beside !== saved.beside)
}

/** Whether what lies at a path is what was saved of it; nothing is lost where no file or symlink lies there. */
export function stateOf(
  root: string,
  path: string,
  saved: AssetEntry | undefined,
): 'none' | 'saved' | 'written' {
  const stats = statsOf(fileAt(root, path))
  if (stats?.isSymbolicLink())
    return saved?.kind === 'symlink' && linkText(root, path) === saved.target ? 'saved' : 'written'
  if (!stats?.isFile()) return 'none'
  const isSaved = saved?.kind === 'file' && saved.unstable !== true
  return isSaved && stats.mtimeNs === saved.mtimeNs && Number(stats.size) === saved.size ? 'saved' : 'written'
}

function statsOf(path: string | Buffer): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false })
  } catch (error) {
    if (hasErrno(error, 'ENOTDIR')) return undefined
    throw new RowbackError('source', `read ${path}: ${systemProblem(error)}`, { cause: error })
  }
}

function linkText(root: string, path: string): string {
  return bytesText(readlinkSync(fileAt(root, path), { encoding: 'buffer' }))
}
