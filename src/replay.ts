/** Replays a database of a commit: the store reads ahead of what is being replayed. */

import type { CommitTree } from './commit-tree.ts'
import type { ManifestDatabase } from './dump/manifest.ts'
import type { Store } from './git/store.ts'
import { type ReplayFile, replayDump } from './sqlite/replay.ts'

/** Replays one database of a commit into the new file `target`; reads no other blobs. Throws as `replayDump` does. */
export async function replayDatabase(
  store: Store,
  { entries }: CommitTree,
  { name }: ManifestDatabase,
  target: string,
  extensions: readonly string[] | undefined,
  onRows: (rows: number, bytes: number) => void,
): Promise<void> {
  const folder = `databases/${name}/`
  const files = [...entries.values()].filter(({ path }) => path.startsWith(folder))
  await replayDump(readAhead(store, files, folder.length), target, extensions, onRows)
}

const readAheadFiles = 16
const readAheadBytes = 2 ** 24

/** Reads blobs in order, some ahead of the one that is being replayed; no two of them together where they are large. */
async function* readAhead(
  store: Store,
  files: { path: string; oid: string }[],
  prefix: number,
): AsyncGenerator<ReplayFile> {
  const sizes = await store.blobSizes(files.map(({ oid }) => oid))
  const pending: Promise<Buffer>[] = []
  let pendingBytes = 0
  let next = 0
  for (const { path } of files) {
    for (; next < files.length && pending.length < readAheadFiles; next++) {
      const { oid } = files[next] as { oid: string }
      const size = sizes.get(oid) as number
      if (pending.length > 0 && pendingBytes + size > readAheadBytes) break
      const blob = store.readBlob(oid)
      blob.catch(() => {})
      pending.push(blob)
      pendingBytes += size
    }
    const content = await (pending.shift() as Promise<Buffer>)
    pendingBytes -= content.length
    yield { path: path.slice(prefix), content }
  }
}
