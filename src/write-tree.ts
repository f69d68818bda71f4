/** Puts a database and the assets of a source into a tree: the parts that backup and verify share. */

import { type AssetEntry, assetLine } from './assets/manifest.ts'
import { storedPath } from './assets/paths.ts'
import { entryWithoutContent, type ReadAsset, readAsset } from './assets/read.ts'
import type { AssetFile } from './assets/scan.ts'
import { type Chunk, Cutter, givenKeys } from './dump/cut.ts'
import { type Manifest, type ManifestDatabase, manifestText } from './dump/manifest.ts'
import { repositoryReadme } from './dump/readme.ts'
import type { TreeEntry } from './git/tree.ts'
import type { DumpOptions } from './sqlite/plan-dump.ts'
import type { RunningDump } from './sqlite/start-dump.ts'
import type { TreeBuilder } from './tree-builder.ts'

/** Puts the files of a dump below `databases/<name>/` and returns the database's entry in the manifest. */
export async function writeDatabase(
  tree: Pick<TreeBuilder, 'add'>,
  files: RunningDump['files'],
  { name, path }: { name: string; path: string | undefined },
  options: DumpOptions,
): Promise<ManifestDatabase> {
  let next = await files.next()
  while (!next.done) {
    const { path: file, content, rows } = next.value
    await tree.add(`databases/${name}/${file}`, content, rows)
    next = await files.next()
  }
  return {
    name,
    ...(path === undefined ? {} : { path }),
    fullText: options.fullText,
    excludedTables: [...options.excludeTables].sort(),
    tables: next.value,
  }
}

/** Copies assets below `assets/` and returns their entries; a file that is gone by now is left out. */
export async function writeAssets(
  tree: TreeBuilder,
  root: string,
  files: readonly AssetFile[],
  spoolDir: string,
): Promise<AssetEntry[]> {
  const entries: AssetEntry[] = []
  for (const file of files) {
    if (file.kind !== 'file') entries.push(entryWithoutContent(file))
    else {
      const asset = await readAsset(root, file, spoolDir)
      if (!asset) continue
      entries.push(asset.entry)
      await writeContent(tree, asset)
    }
  }
  return entries
}

async function writeContent(tree: TreeBuilder, { entry, oid, content }: ReadAsset): Promise<void> {
  await tree.addKnown(assetTreeEntry(entry.path, oid), entry.size, (sink) =>
    Buffer.isBuffer(content)
      ? sink.writeBlob(oid, content, entry.path)
      : sink.writeFile(oid, content.file, content.size),
  )
  if (!Buffer.isBuffer(content)) await content.dispose()
}

/** The entry of an asset's content in the tree. */
export function assetTreeEntry(path: string, oid: string): TreeEntry {
  return { path: `assets/${storedPath(path)}`, mode: '100644', oid }
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
  const files = assets.filter((entry) => entry.kind === 'file')
  const bytes = files.reduce((sum, entry) => sum + entry.size, 0)
  const manifest: Manifest = { format: 1, source, databases, assets: { files: files.length, bytes } }
  await tree.add('manifest.json', Buffer.from(manifestText(manifest)))
  await tree.add('README.md', Buffer.from(repositoryReadme))
  return manifest
}

/** The lines of the asset manifest in the order of their paths, cut as rows are, by path. */
function assetChunks(entries: readonly AssetEntry[]): Chunk[] {
  const keyed = entries.map((entry) => ({
    key: Buffer.from(entry.path),
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
