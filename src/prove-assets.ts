/** Proves the assets of a commit: each content must have the size and the SHA-256 that the manifest says. */

import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { digests } from './assets/digests.ts'
import type { AssetEntry, FileEntry } from './assets/manifest.ts'
import { memoryBytes } from './assets/read.ts'
import type { CommitTree } from './commit-tree.ts'
import { RowbackError } from './errors.ts'
import type { Store } from './git/store.ts'
import { assetClaim, type Proofs } from './proofs.ts'
import type { TreeBuilder } from './tree-builder.ts'
import { assetTreeEntry } from './write-tree.ts'

/**
 * Adds the assets of a commit to the tree that is rebuilt from it, and returns how many of them had to be hashed.
 * Throws a `difference` error that names the first asset whose content is not there or not what the manifest says.
 */
export async function proveAssets({
  store,
  commit: { entries },
  proofs,
  rebuilt,
  scratch,
  assets,
}: {
  store: Store
  commit: CommitTree
  proofs: Proofs
  rebuilt: TreeBuilder
  scratch: string
  assets: readonly AssetEntry[]
}): Promise<number> {
  const files = assets
    .filter((asset) => asset.kind === 'file')
    .map((asset) => ({ asset, oid: entries.get(assetTreeEntry(asset.path, '').path)?.oid }))
  const unproved = files.flatMap(({ asset, oid }) =>
    oid && !proofs.has(assetClaim(oid, asset)) ? [oid] : [],
  )
  const sizes = await store.blobSizes(unproved)
  const claims: string[] = []
  for (const { asset, oid } of files) {
    if (oid === undefined) throw difference(asset, 'is in the manifest and not in the commit')
    const size = sizes.get(oid)
    if (size !== undefined) {
      await checkContent(store, oid, asset, size, join(scratch, 'asset'))
      claims.push(assetClaim(oid, asset))
    }
    await rebuilt.addKnown(assetTreeEntry(asset.path, oid), asset.size, async () => {})
  }
  await proofs.note(...claims)
  return claims.length
}

async function checkContent(
  store: Store,
  oid: string,
  asset: FileEntry,
  size: number,
  spool: string,
): Promise<void> {
  if (size !== asset.size) {
    throw difference(asset, `came back different: expected ${asset.size} bytes, found ${size} bytes`)
  }
  const sha256 = await contentDigest(store, oid, size, spool)
  if (sha256 !== asset.sha256) {
    throw difference(asset, `came back different: expected SHA-256 ${asset.sha256}, found SHA-256 ${sha256}`)
  }
}

async function contentDigest(store: Store, oid: string, size: number, spool: string): Promise<string> {
  if (size <= memoryBytes) return (await digests(size, [await store.readBlob(oid)])).sha256
  const file = await open(spool, 'wx+')
  try {
    await store.copyBlob(oid, file.fd)
    return (await digests(size, file.createReadStream({ start: 0, autoClose: false }))).sha256
  } finally {
    await file.close()
    await rm(spool)
  }
}

function difference({ path }: FileEntry, text: string): RowbackError {
  return new RowbackError('difference', `asset ${JSON.stringify(path)} ${text}`)
}
