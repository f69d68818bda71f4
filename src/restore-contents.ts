/** The contents of a commit's assets: whether they are what the manifest says, and where they are copied from. */

import { assetTreePath, lfsPointer } from './assets/lfs.ts'
import { type AssetEntry, type FileEntry, fileEntries } from './assets/manifest.ts'
import { shownPath } from './assets/paths.ts'
import type { CopyContent } from './assets/restore.ts'
import type { CommitTree } from './commit-tree.ts'
import { RowbackError } from './errors.ts'
import type { Remote } from './git/remote-url.ts'
import type { Store } from './git/store.ts'
import { blobOid } from './git/tree.ts'

/** Refuses contents that are missing or not of the size that the manifest says, before any of them is copied. */
export async function checkContents(
  store: Store,
  tree: CommitTree,
  assets: readonly AssetEntry[],
): Promise<void> {
  const files = fileEntries(assets)
  for (const file of files) if (file.lfs) checkPointer(tree, file)
  const inGit = files.filter(({ lfs }) => !lfs)
  const sizes = await store.blobSizes(inGit.map((file) => contentOid(tree, file)))
  for (const file of inGit) {
    const found = sizes.get(contentOid(tree, file))
    if (found === file.size) continue
    throw new RowbackError(
      'dump',
      `restore ${shownPath(file.path)}: it has ${found} bytes where the manifest says ${file.size}`,
    )
  }
}

/** Other tools go by the pointer, so it must say what the manifest says. */
function checkPointer(tree: CommitTree, file: FileEntry): void {
  if (contentOid(tree, file) === blobOid(lfsPointer(file))) return
  throw new RowbackError(
    'dump',
    `restore ${shownPath(file.path)}: its pointer to Git LFS is not that of the manifest`,
  )
}

/** Fetches the contents of assets in Git LFS that are not here. */
export async function fetchLfsContents(
  store: Store,
  assets: readonly AssetEntry[],
  { rev, remotes, left }: { rev: string; remotes?: readonly Remote[] | undefined; left: string },
): Promise<void> {
  if (!assets.some((asset) => asset.kind === 'file' && asset.lfs)) return
  const { fetchContents, lfsAssets } = await import('./lfs-contents.ts')
  await fetchContents(store, lfsAssets(assets), { what: `restore ${rev}`, left, remotes })
}

/** Copies contents out of the commit; all from `path` where that is given. */
export function copier(store: Store, tree: CommitTree, path?: string): CopyContent {
  return async (entry, handle) => {
    const asset = { ...entry, path: path ?? entry.path }
    if (!asset.lfs) return store.copyBlob(contentOid(tree, asset), handle.fd)
    const { copyLfsObject } = await import('./git/lfs-objects.ts')
    const sha256 = await copyLfsObject(store.gitDir, asset, handle)
    if (sha256 === asset.sha256) return
    const { damaged } = await import('./lfs-contents.ts')
    throw damaged(store, asset, 'restore')
  }
}

function contentOid({ entries }: CommitTree, asset: FileEntry): string {
  const entry = entries.get(assetTreePath(asset))
  if (entry) return entry.oid
  throw new RowbackError(
    'dump',
    `restore ${shownPath(asset.path)}: the manifest names it, the commit does not hold it`,
  )
}
