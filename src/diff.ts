/** The diff flow: what changed between two commits, row by row. */

import { assetChanges } from './asset-changes.ts'
import { type AssetItem, assetItems } from './asset-items.ts'
import { type CommitTree, readAssetEntries, readDifference } from './commit-tree.ts'
import type { TableKey } from './dump/manifest.ts'
import type { EngineChoice } from './git/engine.ts'
import { openStore } from './git/open-store.ts'
import type { Remote } from './git/remote-url.ts'
import type { Store } from './git/store.ts'
import type { TreeEntry } from './git/tree.ts'
import type { RowChange } from './row-change.ts'
import { type TableChange, type TreeSide, tableChanges } from './row-changes.ts'
import type { ColumnsChange } from './row-pairing.ts'

export interface DiffOptions {
  repository: string
  branch?: string | undefined
  /** What reads and writes the repository; the git binary without it, where there is a usable one. */
  engine?: EngineChoice | undefined
  /** Those whose password variables let a partial clone fetch what it lacks. */
  remotes?: readonly Remote[] | undefined
  /** The only table whose rows are compared, of the database `file`; nothing else is read then. */
  table?: string | undefined
  /** The path of its database in the source; not needed where only one has such a table. */
  file?: string | undefined
  /** The older side; any git revision. */
  from: string
  /** The newer side; the latest commit without it. */
  to?: string | undefined
}

/** One thing that differs: the start of a table, a row of the table before it, a script, or an asset. */
export type DiffItem =
  | {
      type: 'table'
      database: string
      table: string
      whole: 'added' | 'removed' | undefined
      /** Where they differ. */
      columns: ColumnsChange | undefined
      /** Where both sides have the same rows, in another order. */
      reordered?: true
    }
  | ({ type: 'row'; database: string; table: string; key: TableKey } & RowChange)
  | { type: 'script'; database: string; path: string; patch: string }
  | AssetItem

/** Two commits with those files only that differ, or with those of one table. */
export interface Comparison {
  store: Store
  before: CommitTree
  after: CommitTree
  /** Both with all files that differ, whatever table is asked for. */
  whole: readonly [before: CommitTree, after: CommitTree]
}

/** Yields what differs: per database definitions and settings, then rows by table; then assets. */
export function diff(options: DiffOptions): AsyncGenerator<DiffItem> {
  return comparing(options, items)
}

async function* items({ store, before, after }: Comparison): AsyncGenerator<DiffItem> {
  yield* scriptItems(store, before, after)
  yield* rowItems(store, before, after)
  yield* await changedAssets(store, before, after)
}

/** Yields what is made of two commits; the repository is open until the last of it is taken. */
export async function* comparing<Item>(
  { repository, branch, engine, remotes, from, to = 'latest', table, file }: DiffOptions,
  make: (comparison: Comparison) => AsyncGenerator<Item>,
): AsyncGenerator<Item> {
  const store = await openStore(repository, { branch, engine, remotes })
  try {
    const trees = await readDifference(store, ...(await resolveBoth(store, from, to)))
    const [before, after] = await comparedTrees(trees, { from, to, table, file })
    await prefetchChanges(store, before, after)
    yield* make({ store, before, after, whole: trees })
  } finally {
    await store.close()
  }
}

/** Resolves two revisions at once. Neither is being looked for any more when this throws. */
async function resolveBoth(store: Store, from: string, to: string): Promise<[string, string]> {
  const [older, newer] = await Promise.allSettled([store.resolve(from), store.resolve(to)])
  if (older.status === 'rejected') throw older.reason
  if (newer.status === 'rejected') throw newer.reason
  return [older.value, newer.value]
}

/** Both trees, or what they have of one table. */
async function comparedTrees(
  trees: [CommitTree, CommitTree],
  { from, to, table, file }: Pick<DiffOptions, 'from' | 'to' | 'table' | 'file'>,
): Promise<[CommitTree, CommitTree]> {
  if (table === undefined) return trees
  const { databaseOfTable, withTableOnly } = await import('./find-table.ts')
  const database = databaseOfTable(trees, { table, file }, `diff ${from} ${to}`)
  const [before, after] = trees
  return [withTableOnly(before, database, table), withTableOnly(after, database, table)]
}

/** What will be read; the contents of assets are compared by their ids alone. */
async function prefetchChanges(store: Store, before: TreeSide, after: TreeSide): Promise<void> {
  const entries = [...before.entries.values(), ...after.entries.values()]
  const read = entries.filter(({ path }) => /^(?:databases|assets-manifest)\//.test(path))
  await store.prefetch(read.map(({ oid }) => oid))
}

const script = /^databases\/([^/]+)\/[^/]+$/

/** The paths of definitions and settings that differ. */
export function changedScripts(before: TreeSide, after: TreeSide): string[] {
  const paths = new Set([...before.entries.keys(), ...after.entries.keys()])
  return [...paths].filter((path) => script.test(path)).sort()
}

async function* scriptItems(store: Store, before: TreeSide, after: TreeSide): AsyncGenerator<DiffItem> {
  for (const path of changedScripts(before, after)) {
    const a = await textOf(store, before.entries.get(path))
    const b = await textOf(store, after.entries.get(path))
    yield { type: 'script', database: script.exec(path)?.[1] ?? '', path, patch: await patchOf(path, a, b) }
  }
}

/** The most lines that a patch adds and removes: the time to find it grows with their square. */
const longestPatch = 5000

async function patchOf(path: string, before: string, after: string): Promise<string> {
  const { createTwoFilesPatch } = await import('diff')
  const options = { context: 2, maxEditLength: longestPatch }
  const patch = createTwoFilesPatch(path, path, before, after, undefined, undefined, options)
  if (patch !== undefined) return patch.slice(patch.indexOf('--- '))
  return `--- ${path}\n+++ ${path}\n@@ more than ${longestPatch} lines differ @@\n`
}

async function textOf(store: Store, entry: TreeEntry | undefined): Promise<string> {
  return entry ? (await store.readBlob(entry.oid)).toString('utf8') : ''
}

async function* rowItems(store: Store, before: TreeSide, after: TreeSide): AsyncGenerator<DiffItem> {
  for (const change of tableChanges(before, after, (oid) => store.readBlob(oid))) yield* tableItems(change)
}

async function* tableItems(change: TableChange): AsyncGenerator<DiffItem> {
  const { database, table, whole, changes } = change
  const start = { type: 'table' as const, database, table, whole, columns: await change.columns() }
  let begun = false
  for await (const list of changes) {
    if (!begun && list.length > 0) yield start
    begun ||= list.length > 0
    for (const { kind, columns, columnsBefore, before, after } of list) {
      const key = after ? change.key : change.keyBefore
      yield { type: 'row', database, table, key, kind, columns, columnsBefore, before, after }
    }
  }
  if (!begun) yield { ...start, reordered: true }
}

/** The assets that differ, by path. */
export async function changedAssets(store: Store, before: TreeSide, after: TreeSide): Promise<AssetItem[]> {
  const contents = assetChanges(before.entries, after.entries)
  return assetItems(contents, {
    before: await readAssetEntries(store, before),
    after: await readAssetEntries(store, after),
  })
}
