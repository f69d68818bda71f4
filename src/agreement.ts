/** Whether a commit's databases and its assets agree: rows that name a file which is not there, files that no row names. */

import { posix } from 'node:path'
import type { AssetEntry } from './assets/manifest.ts'
import { bytesText } from './assets/paths.ts'
import { type CommitTree, pathInSource, readAssetEntries, readCommitTree } from './commit-tree.ts'
import type { ManifestTable } from './dump/manifest.ts'
import { pathPart } from './dump/names.ts'
import { checkRows, parseLiteral, parseRowHeader, rowLiterals } from './dump/rows.ts'
import type { Store } from './git/store.ts'
import type { TreeEntry } from './git/tree.ts'
import type { ReadBlob, TreeSide } from './row-changes.ts'

/** A column that holds paths of assets. */
export interface AssetColumn {
  /** The path of its database in the source; each that has the table without it. */
  database?: string | undefined
  table: string
  column: string
  /** What the paths are relative to: a directory of the source, or empty for the source itself. */
  folder: string
}

/** A row that names a file which is not in the commit. */
export interface MissingFile {
  /** The path in the source. */
  database: string
  table: string
  column: string
  /** The literals of the row's key; its place in the table, from 1, where it has none. */
  row: string
  /** The path of the file in the source. */
  path: string
}

export interface Agreement {
  missing: MissingFile[]
  /** Files below the columns' folders that none of the columns names, by path. */
  unnamed: string[]
  /** Columns that no database has: `table.column`. */
  unknown: string[]
}

/** The paths of databases in the source, beside the tree that holds them. */
export interface AgreementSide extends TreeSide {
  databasePath(database: TreeSide['manifest']['databases'][number]): string
}

/** The agreement of a commit. */
export async function readAgreement(
  store: Store,
  oid: string,
  columns: readonly AssetColumn[],
): Promise<Agreement> {
  const tree = await readCommitTree(store, oid)
  const side = { ...tree, databasePath: databasePathOf(tree) }
  return agreementOf(side, await readAssetEntries(store, tree), columns, (blob) => store.readBlob(blob))
}

function databasePathOf(tree: CommitTree): AgreementSide['databasePath'] {
  return (database) => pathInSource(tree, database)
}

/**
 * Compares what the columns name with the assets. NULL, the empty text and what holds `://` name no file; a directory is
 * there if it is listed or anything in it is. Throws a `dump` error for a row file that is none.
 */
export async function agreementOf(
  side: AgreementSide,
  assets: readonly AssetEntry[],
  columns: readonly AssetColumn[],
  read: ReadBlob,
): Promise<Agreement> {
  const present = presentPaths(side, assets)
  const named = new Set<string>()
  const agreement: Agreement = { missing: [], unnamed: [], unknown: [] }
  for (const column of columns) {
    const { table, column: name } = column
    let isKnown = false
    for (const place of tablesOf(side, column)) {
      const references = readReferences(place, column, read)
      let next = await references.next()
      for (; !next.done; next = await references.next()) {
        const { row, path } = next.value
        named.add(path)
        if (!present.has(path))
          agreement.missing.push({ database: place.database, table, column: name, row, path })
      }
      isKnown ||= next.value
    }
    if (!isKnown) agreement.unknown.push(`${table}.${name}`)
  }
  const folders = columns.map(({ folder }) => normalPath(folder, ''))
  agreement.unnamed = assets
    .filter(({ kind }) => kind !== 'directory')
    .map(({ path }) => path)
    .filter((path) => !named.has(path) && folders.some((folder) => isBelow(path, folder)))
  return agreement
}

/** Everything that a row may name: assets, databases, and the directories that they are in. */
function presentPaths(side: AgreementSide, assets: readonly AssetEntry[]): Set<string> {
  const present = new Set<string>()
  for (const path of [
    ...assets.map((asset) => asset.path),
    ...side.manifest.databases.map(side.databasePath),
  ])
    for (let above = path; above !== '.' && !present.has(above); above = posix.dirname(above))
      present.add(above)
  return present
}

interface TablePlace {
  /** The path of the database in the source. */
  database: string
  table: ManifestTable
  /** The row files, in replay order. */
  chunks: TreeEntry[]
}

function tablesOf(side: AgreementSide, { database: wanted, table: name }: AssetColumn): TablePlace[] {
  return side.manifest.databases.flatMap((database) => {
    const path = side.databasePath(database)
    const table = database.tables.find((candidate) => candidate.name === name)
    if (!table || (wanted !== undefined && wanted !== path)) return []
    const folder = `databases/${database.name}/30-rows/${pathPart(name)}/`
    const chunks = [...side.entries.values()].filter((entry) => entry.path.startsWith(folder))
    chunks.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
    return [{ database: path, table, chunks }]
  })
}

/** Yields what the rows of a table name, and returns whether it has the column; so does one without rows. */
async function* readReferences(
  { table, chunks }: TablePlace,
  { column, folder }: AssetColumn,
  read: ReadBlob,
): AsyncGenerator<{ row: string; path: string }, boolean> {
  let position = 0
  for (const { oid, path: chunk } of chunks) {
    const content = await read(oid)
    if (content.length === 0) continue
    const header = parseRowHeader(content, chunk)
    const index = header.columns.indexOf(column)
    if (index < 0) return false
    const rows: [number, number][] = []
    checkRows(content, header, chunk, (start, end) => rows.push([start, end]))
    for (const [start, end] of rows) {
      position += 1
      const literals = rowLiterals(content, start, end, Math.max(index + 1, keyLength(table)))
      const path = pathOf(literals[index] ?? 'NULL', folder)
      if (path !== undefined) yield { row: rowName(table, literals, position), path }
    }
  }
  return true
}

function keyLength({ key }: ManifestTable): number {
  return key === 'rowid' ? 1 : key === 'position' ? 0 : key.length
}

function rowName(table: ManifestTable, literals: readonly string[], position: number): string {
  return literals.slice(0, keyLength(table)).join(',') || String(position)
}

/** The path that a value names; undefined where it names none. */
function pathOf(literal: string, folder: string): string | undefined {
  const value = parseLiteral(literal)
  if (value === null) return undefined
  const bytes = Buffer.isBuffer(value) ? value : typeof value === 'object' ? value.text : undefined
  const text = bytes === undefined ? String(value) : bytesText(Buffer.from(bytes))
  return text === '' || text.includes('://') ? undefined : normalPath(folder, text)
}

/** A path below the source without `.`, `..` and what else is superfluous; empty for the source itself. */
function normalPath(folder: string, path: string): string {
  return posix
    .normalize(`${folder}/${path}`)
    .replace(/^\/+|\/+$/g, '')
    .replace(/^\.$/, '')
}

function isBelow(path: string, folder: string): boolean {
  return folder === '' || path.startsWith(`${folder}/`)
}
