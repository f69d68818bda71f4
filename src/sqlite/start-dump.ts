/** Starts the check and dump of a snapshot: those of a large one in threads, beside git, which compresses. */

import { statSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Database } from 'better-sqlite3'
import { packageRoot } from '../package.ts'
import { dumpDatabase, dumpScripts, tableRows } from './dump.ts'
import { type DumpMessage, type DumpOrder, kilobytes, stopped } from './dump-message.ts'
import type { DumpedTable, DumpFile, TableRows } from './dump-rows.ts'
import { checkIntegrity } from './integrity.ts'
import { revivedError } from './plain-error.ts'
import { type DumpOptions, planDump, rowSources } from './plan-dump.ts'
import type { Snapshot } from './snapshot.ts'

/** A dump that is under way. `files` yields its files and returns the row counts, as `dumpDatabase` does. */
export interface RunningDump {
  files: AsyncGenerator<DumpFile, TableRows[]> | Generator<DumpFile, TableRows[]>
  /** Ends it, done or not. */
  stop(): Promise<void>
}

/** Rendering this much takes as long as starting a thread. */
const threadBytes = 8 * 2 ** 20

/**
 * Starts a dump and, unless that has been done, a check of the pages, whose error names `file`. Only a private copy is
 * the same for every connection: of a live source a second one would see a later state, rows that the first one's
 * schema and sequences do not know.
 */
export function startDump(
  { db, path, isPrivate, originals }: Omit<Snapshot, 'close'>,
  file: string,
  options: DumpOptions,
  { isChecked = false } = {},
): RunningDump {
  if (!isPrivate || statSync(path).size < threadBytes)
    return { files: checkAndDump(db, isChecked ? undefined : file, options, originals), stop: async () => {} }
  const planned = planDump(db, options, originals)
  const order = {
    path,
    file,
    encoding: planned.plan.settings.encoding,
    extensions: options.extensions,
    sources: rowSources(planned),
    taken: new Int32Array(new SharedArrayBuffer(4)).fill(isChecked ? 1 : 0),
  }
  const threads = Array.from({ length: 2 }, () => new DumpThread(order))
  return {
    files: receive(threads, (tables) => dumpScripts(db, planned, tables)),
    stop: async () => {
      await Promise.all(threads.map((thread) => thread.stop()))
    },
  }
}

function* checkAndDump(
  db: Database,
  file: string | undefined,
  options: DumpOptions,
  originals: Snapshot['originals'],
): Generator<DumpFile, TableRows[]> {
  if (file !== undefined) checkIntegrity(db, file)
  return yield* dumpDatabase(db, options, originals)
}

/** Yields the files of all threads as they come, then the scripts. */
async function* receive(
  threads: DumpThread[],
  scripts: (tables: DumpedTable[]) => DumpFile[],
): AsyncGenerator<DumpFile, TableRows[]> {
  const tables: DumpedTable[] = []
  const running = new Map(threads.map((thread) => [thread, thread.next()]))
  while (running.size > 0) {
    const { thread, message } = await Promise.race(running.values())
    if (message.kind === 'failed') throw revivedError(message.error)
    if (message.kind === 'table') tables.push(message.table)
    if (message.kind === 'file') {
      yield message.file
      thread.use(message.file)
    }
    if (message.kind === 'done') running.delete(thread)
    else running.set(thread, thread.next())
  }
  yield* scripts(tables)
  return tableRows(tables)
}

/** One dumping thread and what it has posted. */
class DumpThread {
  private readonly ended: Promise<unknown>
  private readonly used = new Int32Array(new SharedArrayBuffer(4))
  private readonly waiting: DumpMessage[] = []
  private failure: Error | undefined
  private wake = (): void => {}

  constructor(order: Omit<DumpOrder, 'used'>) {
    const file = join(packageRoot, 'dist', 'src', 'sqlite', 'dump-worker.js')
    const worker = new Worker(file, { workerData: { ...order, used: this.used } satisfies DumpOrder })
    worker.on('message', (message: DumpMessage) => {
      this.waiting.push(message)
      this.wake()
    })
    this.ended = new Promise((resolve) => worker.once('exit', resolve))
    worker.on('error', (error) => {
      this.failure = error
      this.wake()
    })
  }

  /** The next message, in the order they were posted. */
  async next(): Promise<{ thread: DumpThread; message: DumpMessage }> {
    for (;;) {
      const message = this.waiting.shift()
      if (message) return { thread: this, message: message.kind === 'file' ? asBuffer(message) : message }
      if (this.failure) throw this.failure
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
  }

  /** Makes room for more. */
  use(file: DumpFile): void {
    Atomics.add(this.used, 0, kilobytes(file))
    Atomics.notify(this.used, 0)
  }

  async stop(): Promise<void> {
    Atomics.store(this.used, 0, stopped)
    Atomics.notify(this.used, 0)
    await this.ended
  }
}

/** A Buffer arrives as the plain array of bytes that it is. */
function asBuffer(message: Extract<DumpMessage, { kind: 'file' }>): DumpMessage {
  const { buffer, byteOffset, byteLength } = message.file.content
  return { ...message, file: { ...message.file, content: Buffer.from(buffer, byteOffset, byteLength) } }
}
