/** Keeps a backup from leaving out a database that the last one has, though it is there. */

import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { isDatabaseFile, startOf } from './assets/database-file.ts'
import { globsFromAbove } from './assets/glob.ts'
import { shownPath } from './assets/paths.ts'
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
  const isExcluded = globsFromAbove(exclude)
  for (const { path } of manifest.databases) {
    if (path === undefined || present.has(path) || isExcluded(path, false)) continue
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
  if (isDatabaseFile(file)) return 'a directory above it is a symlink, and is not entered'
  const start = startOf(file, 100)
  if (start === undefined) return undefined
  // What begins with zeros, or has the constants of the header but not its magic (sqlite.org/fileformat2.html, section 1.3).
  const isDamaged =
    start.subarray(0, 16).every((byte) => byte === 0) || start.subarray(21, 24).equals(fractions)
  return isDamaged ? 'it is damaged, and no SQLite database any more' : undefined
}

const fractions = Buffer.from([64, 32, 32])
