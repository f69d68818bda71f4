/** What was written to a source after it was saved: a restore in place would lose that. */

import { type BigIntStats, lstatSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { AssetEntry } from '../assets/manifest.ts'
import { bytesText, fileAt, shownPath } from '../assets/paths.ts'
import { hasErrno, RowbackError } from '../errors.ts'
import { databaseFiles, type LiveSource, type Present } from './live-source.ts'
import { type Task, taskName } from './refusals.ts'
import type { Steps } from './steps.ts'

/** What differs, for each database, once SQLite has written to it: of its file, and of its WAL and journal. */
export type DatabasePrints = ReadonlyMap<string, { file: string; beside: string }>

/** Taken before databases are saved: what is written while they are may be in what is saved, or not. */
export function databasePrints({ root }: LiveSource, databases: Iterable<string>): DatabasePrints {
  return new Map([...databases].map((path) => [path, databasePrint(join(root, path))]))
}

function databasePrint(file: string): { file: string; beside: string } {
  const [wal = '', , journal = ''] = databaseFiles(file)
  return { file: filePrint(file), beside: filePrint(wal) + filePrint(journal) }
}

function filePrint(path: string): string {
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false })
  // Whoever reads a database may leave an empty WAL.
  return stats === undefined || stats.size === 0n ? '' : [stats.ino, stats.size, stats.mtimeNs].join(' ')
}

/** Those of databases that nothing lies beside: to close them changes nothing. */
export function closedPrints(prints: DatabasePrints): DatabasePrints {
  return new Map([...prints].filter(([, { beside }]) => beside === ''))
}

/** Throws a `source` error where the steps would remove or replace what was written since it was saved. */
export function refuseUnsaved(
  task: Task,
  present: Present,
  prints: DatabasePrints,
  saved: ReadonlyMap<string, AssetEntry>,
  steps: Steps,
): void {
  if (task.force) return
  const { live } = task
  const now = databasePrints(live, prints.keys())
  const unsaved =
    [...prints.keys()].find((path) => !isDeepStrictEqual(prints.get(path), now.get(path))) ??
    filesOf(steps, present).find((path) => stateOf(live.root, path, saved.get(path)) === 'written')
  if (unsaved === undefined) return
  throw new RowbackError(
    'source',
    `${taskName(task)}: ${shownPath(unsaved)} was written after it was saved; it was left untouched`,
    { hint: 'stop what writes there and run it again; --force loses what was written' },
  )
}

/** What is removed or replaced beside databases. */
function filesOf({ remove, put }: Steps, { databases }: Present): string[] {
  const paths = [...remove, ...put.map(({ path }) => path)]
  const ofDatabases = new Set([...databases, ...[...databases, ...paths].flatMap(databaseFiles)])
  return paths.filter((path) => !ofDatabases.has(path))
}

/** Whether what lies at a path is what was saved of it; nothing is lost where no file or symlink lies there. */
export function stateOf(
  root: string,
  path: string,
  saved: AssetEntry | undefined,
): 'none' | 'saved' | 'written' {
  const stats = statsAt(root, path)
  if (stats?.isSymbolicLink())
    return saved?.kind === 'symlink' && linkText(root, path) === saved.target ? 'saved' : 'written'
  if (!stats?.isFile()) return 'none'
  const isSaved = saved?.kind === 'file' && saved.unstable !== true
  return isSaved && stats.mtimeNs === saved.mtimeNs && Number(stats.size) === saved.size ? 'saved' : 'written'
}

function statsAt(root: string, path: string): BigIntStats | undefined {
  try {
    return lstatSync(fileAt(root, path), { bigint: true, throwIfNoEntry: false })
  } catch (error) {
    if (hasErrno(error, 'ENOTDIR')) return undefined
    throw error
  }
}

function linkText(root: string, path: string): string {
  return bytesText(readlinkSync(fileAt(root, path), { encoding: 'buffer' }))
}
