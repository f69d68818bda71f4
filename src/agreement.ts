/** Whether a commit's databases and its assets agree: rows that name a file which is not there, files that no row names. */

import { posix } from 'node:path'
import type { AssetEntry } from './assets/manifest.ts'
import { bytesText } from './assets/paths.ts'
import { type CommitTree, pathInSource, readAssetEntries, readCommitTree } from './commit-tree.ts'
import { keyLength, type ManifestTable } from './dump/manifest.ts'
import { pathPart } from './dump/names.ts'
import { parseLiteral } from './dump/parse-literal.ts'
import { checkRows, parseRowHeader, rowLiterals } from './dump/rows.ts'
import type { Store } from './git/store.ts'
import type { TreeEntry } from './git/tree.ts'
import type { ReadBlob } from './match-rows.ts'
import type { TreeSide } from './row-changes.ts'

/** A column that holds paths of assets. */
export interface AssetColumn {
  /** The path of its database in the source; each that has the table without it. */
  database?: string | undefined
  table: string
  column: string
  /** What the paths are relative to: a directory of the source, or empty for the source itself. */
  folder: string
}

/** A row that names a file; in an agreement one which is not in the commit. */
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

/** What the rows of one chunk name. */
interface ChunkReferences {
  rows: number
  /** `row` is the literals of the key, or its place in the chunk, from 1. */
  named: { row: string | number; path: string }[]
}

/** What was read of chunks, by the place of a column in the settings and the id of the chunk. */
export type KnownReferences = Map<string, ChunkReferences | undefined>

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
  const assets = await readAssetEntries(store, tree)
  return (await agreementOf(side, assets, columns, (blob) => store.readBlob(blob))).agreement
}

function databasePathOf(tree: CommitTree): AgreementSide['databasePath'] {
  return (database) => pathInSource(tree, database)
}

/**
 * Compares what the columns name with the assets. NULL, the empty text and what holds `://` name no file; a directory is
 * there if it is listed or anything in it is. Chunks that are `known` are not read; `references` is what to know the next
 * time. Throws a `dump` error for a row file that is none.
 */
export async function agreementOf(
  side: AgreementSide,
  assets: readonly AssetEntry[],
  columns: readonly AssetColumn[],
  read: ReadBlob,
  known: KnownReferences = new Map(),
): Promise<{ agreement: Agreement; references: KnownReferences }> {
  const present = presentPaths(side, assets)
  const named = new Set<string>()
  const references: KnownReferences = new Map()
  const agreement: Agreement = { missing: [], unnamed: [], unknown: [] }
  for (const [index, column] of columns.entries()) {
    const chunks = { known, references, read, prefix: `${index} ` }
    const files = await filesNamed(side, column, chunks)
    if (!files) agreement.unknown.push(`${column.table}.${column.column}`)
    for (const file of files ?? []) {
      named.add(file.path)
      if (!present.has(file.path)) agreement.missing.push(file)
    }
  }
  agreement.unnamed = unnamedFiles(assets, columns, named)
  return { agreement, references }
}

/** Every file that a column names, there or not; undefined where no database has the column. */
async function filesNamed(
  side: AgreementSide,
  column: AssetColumn,
  chunks: ChunkReader,
): Promise<MissingFile[] | undefined> {
  const places = tablesOf(side, column)
  let isThere = places.some((place) => place.chunks.length === 0)
  const files: MissingFile[] = []
  for (const place of places) {
    let before = 0
    for (const chunk of place.chunks) {
      const found = await knownReferences(chunk, place.table, column, chunks)
      if (!found) continue
      isThere = true
      for (const { row, path } of found.named)
        files.push({
          database: place.database,
          table: column.table,
          column: column.column,
          row: typeof row === 'number' ? String(before + row) : row,
          path,
        })
      before += found.rows
    }
  }
  return isThere ? files : undefined
}

interface ChunkReader {
  known: KnownReferences
  /** Filled with what was read, or known. */
  references: KnownReferences
  read: ReadBlob
  /** What sets the chunks of one column apart in the two. */
  prefix: string
}

async function knownReferences(
  chunk: TreeEntry,
  table: ManifestTable,
  column: AssetColumn,
  { known, references, read, prefix }: ChunkReader,
): Promise<ChunkReferences | undefined> {
  const id = prefix + chunk.oid
  const found = known.has(id) ? known.get(id) : await readReferences(chunk, table, column, read)
  references.set(id, found)
  return found
}

function unnamedFiles(
  assets: readonly AssetEntry[],
  columns: readonly AssetColumn[],
  named: ReadonlySet<string>,
): string[] {
  const folders = columns.map(({ folder }) => normalPath(folder, ''))
  return assets
    .filter(({ kind }) => kind !== 'directory')
    .map(({ path }) => path)
    .filter((path) => !named.has(path) && folders.some((folder) => isBelow(path, folder)))
}

/** Everything that a row may name: assets, databases, and the directories that they are in, the source itself included. */
function presentPaths(side: AgreementSide, assets: readonly AssetEntry[]): Set<string> {
  const present = new Set([''])
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

/** What the rows of a chunk name; undefined where they do not have the column. */
async function readReferences(
  { oid, path: file }: TreeEntry,
  table: ManifestTable,
  { column, folder }: AssetColumn,
  read: ReadBlob,
): Promise<ChunkReferences | undefined> {
  const content = await read(oid)
  const header = parseRowHeader(content, file)
  const index = header.columns.indexOf(column)
  if (index < 0) return undefined
  const keys = keyLength(table.key)
  const references: ChunkReferences = { rows: 0, named: [] }
  checkRows(content, header, file, (start) => {
    references.rows += 1
    const literals = rowLiterals(content, start, Math.max(index + 1, keys))
    const path = pathOf(literals[index] ?? 'NULL', folder)
    const row = literals.slice(0, keys).join(',') || references.rows
    if (path !== undefined) references.named.push({ row, path })
  })
  return references
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
