/** Puts a database and the assets of a source into a tree: the parts that backup and verify share. */

import { realpathSync } from 'node:fs'
import { assetTreePath, lfsAttributes, lfsPointer } from './assets/lfs.ts'
import {
  type AssetEntry,
  assetLine,
  type FileEntry,
  fileEntries,
  type ListedEntry,
} from './assets/manifest.ts'
import { textBytes } from './assets/paths.ts'
import { entryWithoutContent, type ReadAsset, readAsset, type UnreadableAsset } from './assets/read.ts'
import type { AssetPlace, PlaceOf } from './assets/rules.ts'
import { type AssetFile, type Unreadable, unreadableAssets } from './assets/scan.ts'
import { type Chunk, Cutter, givenKeys } from './dump/cut.ts'
import { type Manifest, type ManifestDatabase, manifestText } from './dump/manifest.ts'
import { repositoryReadme } from './dump/readme.ts'
import type { KnownChunk } from './dump/reuse.ts'
import { hasLfsObject, putLfsObject } from './git/lfs-objects.ts'
import type { TreeEntry } from './git/tree.ts'
import type { Source } from './source.ts'
import {
  chunkPath,
  type DumpedTable,
  type DumpFile,
  type KeptFile,
  type TableRows,
} from './sqlite/dump-rows.ts'
import type { DumpOptions } from './sqlite/plan-dump.ts'
import type { RunningDump } from './sqlite/start-dump.ts'
import type { TreeBuilder } from './tree-builder.ts'

/** A database that was put into a tree. */
export interface WrittenDatabase {
  /** In the manifest. */
  entry: ManifestDatabase
  /** The chunks of each table in key order, but of those with irregular rows, whose form depends on all of them. */
  chunks: Map<string, KnownChunk[]>
}

/** Puts the files of a dump below `databases/<name>/`. */
export async function writeDatabase(
  tree: Pick<TreeBuilder, 'add' | 'addKnown'>,
  files: RunningDump['files'],
  { name, path }: { name: string; path: string | undefined },
  options: DumpOptions,
): Promise<WrittenDatabase> {
  const chunks = new Map<string, KnownChunk[]>()
  const chunksOf = (table: string): KnownChunk[] => {
    const found = chunks.get(table) ?? []
    chunks.set(table, found)
    return found
  }
  const tables = await eachFile(files, async (file) => {
    const chunk = await addDumped(tree, `databases/${name}/${file.path}`, file)
    if (file.table !== undefined) chunksOf(file.table).push(chunk)
  })
  for (const { name: table, isIrregular } of tables) {
    if (isIrregular) chunks.delete(table)
    else chunksOf(table)
  }
  const entry = {
    name,
    ...(path === undefined ? {} : { path }),
    fullText: options.fullText,
    excludedTables: [...options.excludeTables].sort(),
    tables: tableRows(tables),
  }
  return { entry, chunks }
}

/** Takes the files of a dump, and returns its tables. Where that fails, nothing of the database is being read any more. */
async function eachFile(
  files: RunningDump['files'],
  take: (file: DumpFile | KeptFile) => Promise<void>,
): Promise<DumpedTable[]> {
  try {
    let next = await files.next()
    for (; !next.done; next = await files.next()) await take(next.value)
    return next.value
  } finally {
    await files.return([])
  }
}

/** Adds a file of the dump, or one that the repository holds. */
async function addDumped(
  tree: Pick<TreeBuilder, 'add' | 'addKnown'>,
  path: string,
  file: DumpFile | KeptFile,
): Promise<KnownChunk> {
  const { rows } = file
  // Nothing is spread here: V8 would give each chunk a shape of its own, which takes twice as much as the chunk.
  if ('oid' in file) {
    const { oid, size } = file
    await tree.addKnown({ path, mode: '100644', oid }, size, async () => {})
    return { path: chunkPath(file.path), oid, size, rows }
  }
  const size = file.content.length
  const oid = await tree.add(path, file.content, rows)
  return { path: chunkPath(file.path), oid, size, rows }
}

/** The row counts of tables, by name. */
function tableRows(tables: readonly DumpedTable[]): TableRows[] {
  const rows = tables.map(({ name, rows, key }) => ({ name, rows, key }))
  return rows.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))
}

/** A file as it was when its content was read. */
export interface KnownAsset {
  /** What `filePrint` said of it before; undefined where that was not sure. */
  print: string | undefined
  entry: FileEntry | ListedEntry
  oid: string
}

/** What is told of assets that are not in a commit as they should be. */
export interface AssetFindings {
  /** Files and directories that could not be read. */
  unreadable: Unreadable[]
  /** Files that did not stop changing. */
  unstable: string[]
}

export interface WrittenAssets extends AssetFindings {
  assets: AssetEntry[]
  seen: Map<string, KnownAsset>
}

/** Where contents go, and what is known of them. */
interface AssetPlaces {
  known: ReadonlyMap<string, KnownAsset> | undefined
  placeOf: PlaceOf
  /** The git directory, which keeps what is in Git LFS. */
  gitDir: string
  /** A private folder in it for copies of large files. */
  spoolDir: string
}

/**
 * Copies assets below `assets/`, or into Git LFS with a pointer in the tree, and returns their entries and what was seen of
 * the files; those that are as they are known are not read, and of those that a rule only lists no content is kept. A file
 * that is gone by now is left out.
 */
export async function writeAssets(
  tree: TreeBuilder,
  { path, assets: files }: Pick<Source, 'path' | 'assets'>,
  places: AssetPlaces,
): Promise<WrittenAssets> {
  const written: WrittenAssets = {
    assets: [],
    seen: new Map(),
    unreadable: unreadableAssets(files),
    unstable: [],
  }
  const root = realPath(path)
  for (const file of files) {
    if (file.kind !== 'file') {
      written.assets.push(entryWithoutContent(file))
      continue
    }
    const asset = keptAsset(file, places) ?? (await readPlaced(root, file, places))
    if (asset === undefined) continue
    noteAsset(written, file, asset)
    if ('entry' in asset && asset.entry.kind === 'file') await addContent(tree, asset, asset.entry, places)
  }
  return written
}

/** Of a source that is gone by now, reading says so. */
function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

/** An asset with the entry that says where its content is kept. */
type PlacedAsset = Omit<ReadAsset, 'entry'> & Pick<KnownAsset, 'entry'>

async function readPlaced(
  root: string,
  file: AssetFile,
  { placeOf, spoolDir }: AssetPlaces,
): Promise<PlacedAsset | UnreadableAsset | undefined> {
  const place = placeOf(file)
  const asset = await readAsset(root, file, { spoolDir, keepsContent: place !== 'manifest' })
  return asset && 'entry' in asset ? { ...asset, entry: placedEntry(asset.entry, place) } : asset
}

/** An empty file has no pointer in Git LFS: it is its own. */
function placedEntry(entry: FileEntry, place: AssetPlace): FileEntry | ListedEntry {
  if (place === 'manifest') return { ...entry, kind: 'listed' }
  return place === 'lfs' && entry.size > 0 ? { ...entry, lfs: true } : entry
}

/** Adds the entry of a file, and what there is to say of it. */
function noteAsset(
  { assets, seen, unreadable, unstable }: WrittenAssets,
  { path, print }: AssetFile,
  asset: PlacedAsset | KnownAsset | UnreadableAsset,
): void {
  if ('problem' in asset) {
    assets.push({ kind: 'unreadable', path })
    unreadable.push({ path, problem: asset.problem })
    return
  }
  const { entry } = asset
  assets.push(entry)
  if (entry.unstable) unstable.push(path)
  else seen.set(path, { print, entry, oid: asset.oid })
}

/** What was seen of a file that was not written since; not where Git LFS has lost the content. */
function keptAsset(
  { path, print }: AssetFile,
  { known, gitDir }: Pick<AssetPlaces, 'known' | 'gitDir'>,
): KnownAsset | undefined {
  const asset = known?.get(path)
  if (print === undefined || asset?.print !== print) return undefined
  const isInLfs = asset.entry.kind === 'file' && asset.entry.lfs
  return isInLfs && !hasLfsObject(gitDir, asset.entry) ? undefined : asset
}

/** Adds the content of a file, or the pointer to it, unless the last commit has it. */
async function addContent(
  tree: TreeBuilder,
  asset: PlacedAsset | KnownAsset,
  entry: FileEntry,
  { gitDir, spoolDir }: AssetPlaces,
): Promise<void> {
  const content = 'content' in asset ? asset.content : undefined
  if (entry.lfs) {
    if (content !== undefined)
      await putLfsObject(gitDir, entry, Buffer.isBuffer(content) ? content : content.file, spoolDir)
    await tree.add(assetTreePath(entry), lfsPointer(entry))
  } else
    await tree.addKnown(assetTreeEntry(entry, asset.oid), entry.size, async (sink) => {
      if (Buffer.isBuffer(content)) await sink.writeBlob(asset.oid, content, entry.path)
      else if (content !== undefined) await sink.writeFile(asset.oid, content.file, content.size)
    })
  if (content !== undefined && !Buffer.isBuffer(content)) await content.dispose()
}

/** The entry of an asset's content, or of the pointer to it, in the tree. */
export function assetTreeEntry(entry: Pick<FileEntry, 'path' | 'lfs'>, oid: string): TreeEntry {
  return { path: assetTreePath(entry), mode: '100644', oid }
}

/** Writes the asset manifest, the manifest and the README: what follows from all the rest. */
export async function writeManifest(
  tree: TreeBuilder,
  source: Manifest['source'],
  databases: ManifestDatabase[],
  assets: readonly AssetEntry[],
): Promise<Manifest> {
  for (const { path, lines } of assetChunks(assets))
    await tree.add(`assets-manifest/${path}.jsonl`, Buffer.concat(lines))
  const files = fileEntries(assets)
  if (files.some(({ lfs }) => lfs)) await tree.add(lfsAttributes.path, lfsAttributes.content)
  const bytes = files.reduce((sum, entry) => sum + entry.size, 0)
  const manifest: Manifest = { format: 1, source, databases, assets: { files: files.length, bytes } }
  await tree.add('manifest.json', Buffer.from(manifestText(manifest)))
  await tree.add('README.md', Buffer.from(repositoryReadme))
  return manifest
}

/** The lines of the asset manifest in the order of their paths, cut as rows are, by path. */
function assetChunks(entries: readonly AssetEntry[]): Chunk[] {
  const keyed = entries.map((entry) => ({
    key: textBytes(entry.path),
    line: Buffer.from(`${assetLine(entry)}\n`),
  }))
  keyed.sort((a, b) => Buffer.compare(a.key, b.key))
  let length = 0
  const ends = keyed.map(({ line }) => {
    length += line.length
    return length
  })
  const cutter = new Cutter()
  const lines = Buffer.concat(keyed.map(({ line }) => line))
  const chunks = cutter.push(lines, ends, givenKeys(keyed.map(({ key }) => key)))
  return [...chunks, ...cutter.end()]
}
