/** Replays a database of a commit, and proves it: the part of both flows that a replay process carries out. */

import { setImmediate } from 'node:timers/promises'
import { RowbackError } from './errors.ts'
import type { Store } from './git/store.ts'
import type { OnReplay, ReplayJob, ReplayProof } from './replay-job.ts'
import { type ReplayFile, replayDump } from './sqlite/replay.ts'
import type { ReplayThread } from './sqlite/replay-thread.ts'

/** What is read of a repository. */
export type BlobReader = Pick<Store, 'blobSizes' | 'readBlob'>

/**
 * Replays a database into the new file `job.target`; reads no other blobs. Throws as `replayDump` does; the thread is of no
 * use then.
 */
export async function replayDatabase(
  thread: ReplayThread,
  store: BlobReader,
  job: ReplayJob,
  on: OnReplay,
): Promise<ReplayProof | undefined> {
  const { files, target, extensions, table, proof: database } = job
  const { onPhase, onRows } = on
  onPhase('replay')
  await replayDump(thread, readAhead(store, files), target, extensions, onRows, table)
  if (database) onPhase('check')
  const foreignKeyViolations = database && (await check(thread, job))
  if (!database) return undefined
  onPhase('dump')
  // Loading it takes as long as starting the process, and a restore does without.
  const { dumpAgain } = await import('./dump-again.ts')
  return { ...(await dumpAgain(job, database, on)), foreignKeyViolations: foreignKeyViolations ?? 0 }
}

const readAheadFiles = 16
const readAheadBytes = 2 ** 24

/** Reads blobs in order, some ahead of the one that is being replayed; no two of them together where they are large. */
async function* readAhead(store: BlobReader, files: ReplayJob['files']): AsyncGenerator<ReplayFile> {
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
    yield { path, content }
    // Lets git write on: what it has written is read between two turns only.
    await setImmediate()
  }
}

/** How many rows name a row that is not there; throws a `difference` error for a file that is damaged. */
async function check(thread: ReplayThread, { target: file, extensions }: ReplayJob): Promise<number> {
  const checked = await thread.ask({ kind: 'check', file, extensions })
  if (checked.kind !== 'checked') throw new RowbackError('fault', `check replayed database: ${checked.kind}`)
  if (checked.damage === undefined) return checked.foreignKeyViolations
  throw new RowbackError('difference', `it is damaged after its replay: ${checked.damage}`)
}
