/** Keeps a backup from leaving out a database that the last one has, though it is there. */

import { closeSync, constants, lstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { globs } from './assets/glob.ts'
import { foldersAbove, shownPath } from './assets/paths.ts'
import { unreadable } from './assets/source-error.ts'
import type { CommitTree } from './commit-tree.ts'
import { RowbackError } from './errors.ts'
import type { Source } from './source.ts'

/** A commit without a database that the last one has would be no backup of the source, whatever its trailer says. */
export function refuseUnreadableDatabase({ manifest }: CommitTree, { assets }: Source): void {
  const paths = manifest.databases.map(({ path = '' }) => path)
  const lost = assets.find(
    ({ kind, path }) =>
      kind === 'unreadable' && paths.some((database) => `${database}/`.startsWith(`${path}/`)),
  )
  if (lost) throw unreadable(lost.path, `${lost.problem}, and the last commit has a database there`)
}

/**
 * Nor would one be in which a database has gone because its file is damaged, or a symlink to it. A file of another kind that has
 * taken its place is one of the source.
 */
export function refuseLostDatabase(
  { manifest }: CommitTree,
  { kind, path: root, databases }: Source,
  exclude: readonly string[],
): void {
  if (kind !== 'directory') return
  const present = new Set(databases.map(({ path }) => path))
  const isExcluded = globs(exclude)
  for (const { path } of manifest.databases) {
    if (path === undefined || present.has(path)) continue
    if (isExcluded(path, false) || foldersAbove(path).some((folder) => isExcluded(folder, true))) continue
    const cause = lossOf(join(root, path))
    if (cause === undefined) continue
    throw new RowbackError(
      'source',
      `read ${shownPath(path)}: ${cause}, and the last commit has a database there; nothing was committed`,
      { hint: 'bring it back by rowback restore; if that is meant, --exclude it once' },
    )
  }
}

/** Why a file is no database, where that looks like a loss; undefined for a file that is none, or is not there. */
function lossOf(file: string): string | undefined {
  const stats = lstatSync(file, { throwIfNoEntry: false })
  if (stats?.isSymbolicLink()) return 'it is a symlink'
  if (!stats?.isFile()) return undefined
  if (stats.size === 0) return 'it is empty'
  const start = startOf(file)
  // What begins with zeros, or has the constants of the header but not its magic (sqlite.org/fileformat2.html, section 1.3).
  const isDamaged =
    start.subarray(0, 16).every((byte) => byte === 0) || start.subarray(21, 24).equals(fractions)
  return isDamaged ? 'it is damaged, and no SQLite database any more' : undefined
}

const fractions = Buffer.from([64, 32, 32])

function startOf(file: string): Buffer {
  const start = Buffer.alloc(100)
  const descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    return start.subarray(0, readSync(descriptor, start, 0, start.length, 0))
  } finally {
    closeSync(descriptor)
  }
}
