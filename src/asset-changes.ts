/** Which assets differ between two trees, wherever their contents are kept. Pure. */

import { storedAssetPath } from './assets/lfs.ts'
import type { TreeEntry } from './git/tree.ts'

type Entries = ReadonlyMap<string, TreeEntry>

export interface AssetChanges {
  added: string[]
  changed: string[]
  removed: string[]
}

/** The paths of assets as the tree has them; one that goes to Git LFS, or comes from there, has changed. */
export function assetChanges(from: Entries, to: Entries): AssetChanges {
  const [old, now] = [assetBlobs(from), assetBlobs(to)]
  return {
    added: [...now.keys()].filter((path) => !old.has(path)),
    changed: [...now.keys()].filter((path) => old.has(path) && old.get(path) !== now.get(path)),
    removed: [...old.keys()].filter((path) => !now.has(path)),
  }
}

/** The id of each content, or of the pointer to it, by the path of the asset as the tree has it. */
function assetBlobs(entries: Entries): Map<string, string> {
  const blobs = new Map<string, string>()
  for (const { path, oid } of entries.values()) {
    const stored = storedAssetPath(path)
    if (stored !== undefined) blobs.set(stored, oid)
  }
  return blobs
}
