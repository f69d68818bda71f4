/** Which tables differ between two trees, and in which rows: only the chunks that differ are read. */

import { comparePaths } from './assets/paths.ts'
import type { Manifest, ManifestTable, TableKey } from './dump/manifest.ts'
import { pathPart } from './dump/names.ts'
import { parseRowHeader } from './dump/rows.ts'
import type { TreeEntry } from './git/tree.ts'
import { type ReadBlob, rowChanges } from './match-rows.ts'
import { type RowChange, sameColumns } from './row-change.ts'
import { type ColumnsChange, type Pairing, pairingOf } from './row-pairing.ts'

/** One side of a comparison: a commit, or the tree that a backup is about to commit. */
export interface TreeSide {
  manifest: Manifest
  entries: ReadonlyMap<string, TreeEntry>
}

/** A table with different rows on the two sides. */
export interface TableChange {
  database: string
  table: string
  /** Whether the table itself is only on one side. */
  whole: 'added' | 'removed' | undefined
  /** A list for each few chunks; a change is to be read before the next list is asked for. Each use reads them anew. */
  changes: AsyncIterable<RowChange[]>
  /** The columns of both sides, where they differ and both have rows; to be asked for before the changes. */
  columns: () => Promise<ColumnsChange | undefined>
  /** For a whole table: its row count, known without reading. */
  rows: number
  /** Of the newer side, of which `keyBefore` is the older one's; the same for a whole table. */
  key: TableKey
  keyBefore: TableKey
}

/** Yields the tables whose row files differ, by database and name. */
export function* tableChanges(
  before: TreeSide | undefined,
  after: TreeSide,
  read: ReadBlob,
): Generator<TableChange> {
  const oldChunks = chunksByTable(before?.entries, after.entries)
  const newChunks = chunksByTable(after.entries, before?.entries)
  for (const { database, table, old, now } of tablePairs(before?.manifest, after.manifest)) {
    const folder = `databases/${database}/30-rows/${pathPart(table)}`
    const chunks = { before: oldChunks.get(folder) ?? [], after: newChunks.get(folder) ?? [] }
    if (chunks.before.length + chunks.after.length === 0) continue
    const [key, keyBefore] = [keyOf(now ?? old), keyOf(old ?? now)]
    const first = firstChunks(chunks, read)
    const pairing = async (): Promise<Pairing> => pairingOf(keyBefore, key, await first.columns())
    yield {
      database,
      table,
      key,
      keyBefore,
      whole: old ? (now ? undefined : 'removed') : 'added',
      columns: first.columns,
      changes: { [Symbol.asyncIterator]: () => rowChanges(chunks, pairing, first.read) },
      rows: (now ?? old)?.rows ?? 0,
    }
  }
}

/**
 * Reads what the first row files of a table name as its columns, and keeps both for the one who reads them next. Where
 * columns differ, every file does, and the first one has the same path on both sides.
 */
function firstChunks(
  chunks: { before: readonly TreeEntry[]; after: readonly TreeEntry[] },
  read: ReadBlob,
): { columns: TableChange['columns']; read: ReadBlob } {
  const kept = new Map<string, Buffer>()
  const columnsOf = async ({ path, oid }: TreeEntry): Promise<readonly string[]> => {
    const content = await read(oid)
    kept.set(oid, content)
    return parseRowHeader(content, path).columns
  }
  const readColumns = async (): Promise<ColumnsChange | undefined> => {
    const [old, now] = [chunks.before[0], chunks.after[0]]
    if (!old || old.path !== now?.path) return undefined
    const [before, after] = await Promise.all([columnsOf(old), columnsOf(now)])
    return sameColumns(before, after) ? undefined : { before, after }
  }
  let columns: ReturnType<TableChange['columns']> | undefined
  return {
    columns: () => {
      columns ??= readColumns()
      return columns
    },
    read: async (oid) => {
      const content = kept.get(oid)
      kept.delete(oid)
      return content ?? read(oid)
    },
  }
}

function keyOf(table: ManifestTable | undefined): TableKey {
  return table?.key ?? 'position'
}

interface TablePair {
  database: string
  table: string
  old: ManifestTable | undefined
  now: ManifestTable | undefined
}

function tablePairs(before: Manifest | undefined, after: Manifest): TablePair[] {
  const pairs = new Map<string, TablePair>()
  const pair = (database: string, table: string): TablePair => {
    const id = `${database}/${pathPart(table)}`
    const found = pairs.get(id) ?? { database, table, old: undefined, now: undefined }
    pairs.set(id, found)
    return found
  }
  for (const { name, tables } of before?.databases ?? [])
    for (const table of tables) pair(name, table.name).old = table
  for (const { name, tables } of after.databases)
    for (const table of tables) pair(name, table.name).now = table
  return [...pairs.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, found]) => found)
}

/**
 * The row files of a tree that another tree has not, by the folder of their table, in replay order, which for integer
 * keys is key order.
 */
function chunksByTable(
  entries: ReadonlyMap<string, TreeEntry> | undefined,
  others: ReadonlyMap<string, TreeEntry> | undefined,
): Map<string, TreeEntry[]> {
  const tables = new Map<string, TreeEntry[]>()
  for (const entry of entries?.values() ?? []) {
    if (others?.get(entry.path)?.oid === entry.oid) continue
    const folder = /^databases\/[^/]+\/30-rows\/[^/]+/.exec(entry.path)?.[0]
    if (folder === undefined) continue
    const chunks = tables.get(folder)
    if (chunks) chunks.push(entry)
    else tables.set(folder, [entry])
  }
  for (const chunks of tables.values()) chunks.sort((a, b) => comparePaths(a.path, b.path))
  return tables
}
