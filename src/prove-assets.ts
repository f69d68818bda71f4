/** Proves the assets of a commit: each content must have the size and the SHA-256 that the manifest says. */

import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { digests } from './assets/digests.ts'
import { lfsPointer } from './assets/lfs.ts'
import { type AssetEntry, type FileEntry, fileEntries } from './assets/manifest.ts'
import { memoryBytes } from './assets/read.ts'
import type { CommitTree } from './commit-tree.ts'
import { RowbackError } from './errors.ts'
import type { Remote } from './git/remote-url.ts'
import type { Store } from './git/store.ts'
import { blobOid } from './git/tree.ts'
import type { LfsFindings } from './lfs-contents.ts'
import { assetClaim, type Proofs } from './proofs.ts'
import type { TreeBuilder } from './tree-builder.ts'
import { assetTreeEntry } from './write-tree.ts'

interface AssetProof {
  store: Store
  commit: CommitTree
  proofs: Proofs
  rebuilt: TreeBuilder
  scratch: string
  /** Asked, before those of the last push, for contents of Git LFS that are missing or damaged. */
  remotes: readonly Remote[] | undefined
}

/**
 * Adds the assets of a commit to the tree that is rebuilt from it, and returns how many of them had to be hashed, and what
 * of Git LFS had to come from a remote for that.
 * Throws a `difference` error that names the first asset whose content is not there or not what the manifest says, and a
 * `repository` or `remote` error for contents of Git LFS that cannot be had.
 */
export async function proveAssets({
  assets,
  ...run
}: AssetProof & { assets: readonly AssetEntry[] }): Promise<{
  hashed: number
  lfs: LfsFindings | undefined
}> {
  const { store, commit, proofs, rebuilt, scratch } = run
  const files = fileEntries(assets).map((asset) => ({ asset, oid: storedOid(commit, asset) }))
  const unproved = files.filter(({ asset, oid }) => !proofs.has(assetClaim(oid, asset)))
  const inGit = unproved.filter(({ asset }) => !asset.lfs)
  const sizes = await store.blobSizes(inGit.map(({ oid }) => oid))
  for (const { asset, oid } of files) {
    const size = asset.lfs ? undefined : sizes.get(oid)
    if (size !== undefined) await checkContent(store, oid, asset, size, join(scratch, 'asset'))
    const bytes = asset.lfs ? lfsPointer(asset).length : asset.size
    await rebuilt.addKnown(assetTreeEntry(asset, oid), bytes, async () => {})
  }
  const inLfs = unproved.filter(({ asset }) => asset.lfs).map(({ asset }) => asset)
  const lfs = inLfs.length === 0 ? undefined : await checkLfs(run, inLfs)
  const claims = unproved.map(({ asset, oid }) => assetClaim(oid, asset))
  await proofs.note(...claims)
  return { hashed: claims.length, lfs }
}

function storedOid({ entries }: CommitTree, asset: FileEntry): string {
  const oid = entries.get(assetTreeEntry(asset, '').path)?.oid
  if (oid === undefined) throw difference(asset, 'is in the manifest and not in the commit')
  if (!asset.lfs || oid === blobOid(lfsPointer(asset))) return oid
  throw difference(asset, 'has a pointer to Git LFS that is not that of the manifest')
}

/** Undefined where all was as it should be. */
async function checkLfs(
  { store, commit, remotes }: AssetProof,
  files: readonly FileEntry[],
): Promise<LfsFindings | undefined> {
  const { checkLfsContents } = await import('./lfs-contents.ts')
  const what = `verify ${commit.commit.oid.slice(0, 12)}`
  const { fetched, healed } = await checkLfsContents(store, files, { what, remotes })
  return fetched.length + healed.length === 0 ? undefined : { fetched, healed }
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
