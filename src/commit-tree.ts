/** Reads what a commit of Rowback's holds: its tree, its manifest and its assets. */

import { type AssetEntry, parseAssetLine } from './assets/manifest.ts'
import { comparePaths, shownPath } from './assets/paths.ts'
import { type Manifest, type ManifestDatabase, parseManifest } from './dump/manifest.ts'
import { RowbackError } from './errors.ts'
import type { Commit } from './git/commit.ts'
import type { Store } from './git/store.ts'
import type { TreeEntry } from './git/tree.ts'

export interface CommitTree {
  commit: Commit
  /** Every file by path, in git's order, which is replay order. */
  entries: Map<string, TreeEntry>
  manifest: Manifest
}

/** The longest manifest, or chunk of the asset manifest, that is read; in bytes. */
const longestManifest = 2 ** 24

/**
 * Reads a commit; throws a `repository` error where it is none of Rowback's or of a newer format, a `dump` error for
 * what no backup holds.
 */
export async function readCommitTree(store: Store, oid: string): Promise<CommitTree> {
  const commit = await store.readCommit(oid)
  const entries = await store.listTree(oid)
  return { commit, entries, manifest: await readManifest(store, oid, entries) }
}

/** Two commits, each with those files only that the other has not. Throws as `readCommitTree`. */
export async function readDifference(
  store: Store,
  from: string,
  to: string,
): Promise<[before: CommitTree, after: CommitTree]> {
  const { before, after } = await store.diffTrees(from, to)
  const differs = before.has('manifest.json') || after.has('manifest.json')
  const shared = differs ? undefined : await store.listTree(from, 'manifest.json')
  const read = async (oid: string, entries: CommitTree['entries']): Promise<CommitTree> => ({
    commit: await store.readCommit(oid),
    entries,
    manifest: await readManifest(store, oid, entries, shared),
  })
  return [await read(from, before), await read(to, after)]
}

/** The manifest among those entries, or among `shared`; all entries must be of files as a backup writes them. */
async function readManifest(
  store: Store,
  oid: string,
  entries: ReadonlyMap<string, TreeEntry>,
  shared = entries,
): Promise<Manifest> {
  const file = shared.get('manifest.json')
  if (!file) {
    throw new RowbackError(
      'repository',
      `read ${store.dir}: commit ${oid.slice(0, 12)} is no backup of Rowback's`,
      {
        hint: 'give the backups a repository of their own',
      },
    )
  }
  const odd = [...entries.values()].find(({ mode }) => mode !== '100644')
  if (odd) throw new RowbackError('dump', `read ${shownPath(odd.path)}: its mode is ${odd.mode}, not 100644`)
  const text = (await store.readBlob(file.oid, longestManifest)).toString('utf8')
  return parseManifest(text, oid.slice(0, 12))
}

/** The entries of the asset manifest, by path. */
export async function readAssetEntries(
  store: Store,
  { entries }: { entries: ReadonlyMap<string, TreeEntry> },
): Promise<AssetEntry[]> {
  const assets: AssetEntry[] = []
  for (const { path, oid } of entries.values()) {
    if (!path.startsWith('assets-manifest/')) continue
    const lines = (await store.readBlob(oid, longestManifest)).toString('utf8').split('\n')
    if (lines.pop() !== '')
      throw new RowbackError('dump', `read ${shownPath(path)}: its last line has no end`)
    assets.push(...lines.map((line) => parseAssetLine(line)))
  }
  return assets.sort((a, b) => comparePaths(a.path, b.path))
}

/** Where a database lies in the source; nothing says that the path is safe. */
export function pathInSource(tree: Pick<CommitTree, 'commit'>, { path }: ManifestDatabase): string {
  return path ?? sourceFileName(tree)
}

/** The file name of a source that was one file: what restore calls its database. */
function sourceFileName({ commit }: Pick<CommitTree, 'commit'>): string {
  try {
    const name: unknown = JSON.parse(commit.trailers.get('Rowback-Source') ?? '')
    if (typeof name === 'string' && /^[^/\0]+$/.test(name) && name !== '.' && name !== '..') return name
  } catch {}
  return 'database.db'
}
