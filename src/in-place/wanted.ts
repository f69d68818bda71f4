/** What a restore in place wants to be in the source, and what of that is there already. */

import type { AssetEntry } from '../assets/manifest.ts'
import { comparePaths, foldersAbove, shownPath } from '../assets/paths.ts'
import { type CommitTree, readAssetEntries, readCommitTree } from '../commit-tree.ts'
import { RowbackError } from '../errors.ts'
import type { Store } from '../git/store.ts'
import { counted } from '../number.ts'
import { databasesInSource } from '../restore.ts'
import { displayName } from '../summary.ts'
import type { LiveSource } from './live-source.ts'
import { shortId, taskName } from './refusals.ts'
import type { SafetyCommit } from './safety.ts'
import type { Wanted } from './steps.ts'
import { stateOf } from './unsaved.ts'

/** What of a commit the settings cover. Throws a `usage` error for a commit of another kind of source. */
export async function wantedOf(store: Store, live: LiveSource, tree: CommitTree): Promise<Wanted> {
  const assets = await readAssetEntries(store, tree)
  const { databases } = databasesInSource(tree, assets)
  if (live.file !== undefined) return wantedOfFile(live, tree, { databases, assets })
  if (tree.manifest.source === 'file') throw otherKind(live, tree)
  const wanted = databases.filter(({ path }) => live.covers(path, 'database'))
  const files = assets.filter(({ kind, path }) => kind !== 'directory' && live.covers(path, 'asset'))
  // A directory that holds something of that has its mode, whether globs name it or not: as in a backup.
  const holding = new Set([...wanted, ...files].flatMap(({ path }) => foldersAbove(path)))
  const isKept = ({ path }: AssetEntry) => holding.has(path) || live.covers(path, 'directory')
  const folders = assets.filter((asset) => asset.kind === 'directory' && isKept(asset))
  return { databases: wanted, assets: [...files, ...folders].sort((a, b) => comparePaths(a.path, b.path)) }
}

/** A file keeps its name, whatever it was called; a safety commit may have it as an asset. */
function wantedOfFile(live: LiveSource, tree: CommitTree, { databases, assets }: Wanted): Wanted {
  if (tree.manifest.source === 'file')
    return { databases: databases.map((found) => ({ ...found, path: live.file as string })), assets: [] }
  if (databases.length === 0 && assets.every(({ path }) => live.covers(path, 'asset')))
    return { databases, assets }
  throw otherKind(live, tree)
}

function otherKind(live: LiveSource, { commit, manifest }: CommitTree): RowbackError {
  return new RowbackError(
    'usage',
    `${taskName({ live, commit: commit.oid })}: the commit is that of a ${manifest.source}, this is a ${live.kind}`,
    { hint: `rowback restore ${shortId(commit.oid)} --to DIR` },
  )
}

/** A warning for each table whose rows go, as the backup has left them out; the safety commit has them. */
export async function emptied(
  store: Store,
  { databases }: Wanted,
  { ref, commit }: SafetyCommit,
): Promise<string[]> {
  if (databases.every(({ database }) => database.excludedTables.length === 0)) return []
  const saved = (await readCommitTree(store, commit)).manifest.databases
  return databases.flatMap(({ database: { name, excludedTables }, path }) => {
    const tables = saved.find((other) => other.name === name)?.tables ?? []
    const gone = tables.filter((table) => table.rows > 0 && excludedTables.includes(table.name))
    return gone.map(
      ({ name: table, rows }) =>
        `table ${displayName(table)} of ${shownPath(path)} is empty now, as its backup left it out; ${ref} has the ${counted(rows, 'row')} that it had`,
    )
  })
}

/** Whether an asset is in the source as it is wanted: the safety commit has it so, and the file was not written since. */
export function isUnchanged(
  { root }: LiveSource,
  saved: ReadonlyMap<string, AssetEntry>,
): (asset: AssetEntry) => boolean {
  return (asset) => {
    const found = saved.get(asset.path)
    return found !== undefined && isSame(found, asset) && stateOf(root, asset.path, found) === 'saved'
  }
}

function isSame(one: AssetEntry, other: AssetEntry): boolean {
  if (one.kind === 'symlink') return other.kind === 'symlink' && one.target === other.target
  if (one.kind !== 'file' || other.kind !== 'file') return false
  const facts = ({ size, mode, mtimeNs, sha256 }: typeof one) => [size, mode, mtimeNs, sha256].join(' ')
  return facts(one) === facts(other)
}
