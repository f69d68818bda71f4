/** Collects the files of a new tree and hands those that the last commit lacks to the store. */

import { collectGarbage, release } from './buffers.ts'
import type { Writer } from './git/store.ts'
import { blobOid, type TreeEntry, treeChanges, treeOid } from './git/tree.ts'
import type { Phases } from './progress.ts'

/** Where new blobs go; verify only wants their ids. */
export interface BlobSink extends Pick<Writer, 'writeFile'> {
  writeBlob(oid: string, content: Buffer, path: string): Promise<void>
}

/** What goes with so much content leaves 10 MB of garbage; rendering it takes five seconds, collecting that 0.03. */
const collectBytes = 2 ** 28

export class TreeBuilder {
  /** Every file so far, by path. */
  readonly entries = new Map<string, TreeEntry>()
  /** Files that had to be written, and files that the last commit holds at the same path. */
  readonly files = { written: 0, reused: 0 }
  /** Bytes of all files, and of those written. */
  readonly bytes = { total: 0, written: 0 }
  private readonly before: ReadonlyMap<string, TreeEntry>
  private readonly sink: BlobSink | undefined
  private readonly phases: Phases
  /** Bytes of contents since garbage was collected. */
  private uncollected = 0

  /** `before` is the tree of the last commit; without a sink nothing is written. */
  constructor(before: ReadonlyMap<string, TreeEntry>, sink: BlobSink | undefined, phases: Phases) {
    this.before = before
    this.sink = sink
    this.phases = phases
  }

  /** Adds a file and returns its id. The content is released in the end. */
  async add(path: string, content: Buffer, rows = 0): Promise<string> {
    const oid = blobOid(content)
    this.collect(content.length)
    if (this.count({ path, mode: '100644', oid }, content.length, rows))
      await this.sink?.writeBlob(oid, content, path)
    else release(content)
    return oid
  }

  /** Adds a file whose id is known; `write` is called where the last commit lacks it. */
  async addKnown(entry: TreeEntry, size: number, write: (sink: BlobSink) => Promise<void>): Promise<void> {
    if (this.count(entry, size, 0) && this.sink) await write(this.sink)
  }

  /** What leads from the last commit's tree to this one. */
  changes(): { add: TreeEntry[]; remove: string[] } {
    const { added, changed, removed } = treeChanges(this.before, this.entries)
    return { add: [...added, ...changed], remove: removed.map(({ path }) => path) }
  }

  oid(): string {
    return treeOid(this.entries.values())
  }

  private collect(bytes: number): void {
    this.uncollected += bytes
    if (this.uncollected < collectBytes) return
    collectGarbage()
    this.uncollected = 0
  }

  /** Notes an entry; true where the last commit lacks its content at that path. */
  private count(entry: TreeEntry, size: number, rows: number): boolean {
    const old = this.before.get(entry.path)
    const kept = shared(entry, old)
    this.entries.set(kept.path, kept)
    const isNew = old?.oid !== entry.oid
    this.files[isNew ? 'written' : 'reused'] += 1
    this.bytes.total += size
    if (isNew) this.bytes.written += size
    this.phases.add(rows, size)
    return isNew
  }
}

/** An entry in the memory of the old one of its path, as far as they are the same. */
function shared(entry: TreeEntry, old: TreeEntry | undefined): TreeEntry {
  if (!old) return entry
  return old.oid === entry.oid && old.mode === entry.mode
    ? old
    : { path: old.path, mode: entry.mode, oid: entry.oid }
}
