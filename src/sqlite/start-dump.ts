/** Starts the check and dump of a snapshot: those of a large one in threads, beside git, which compresses. */

import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Database } from 'better-sqlite3'
import { packageRoot } from '../package.ts'
import { dumpPlanned, dumpScripts } from './dump.ts'
import { type DumpMessage, type DumpOrder, kilobytes, stopped } from './dump-message.ts'
import type { DumpedTable, DumpFile, KeptFile, TableWork } from './dump-rows.ts'
import { checkDuplicates, checkIntegrity } from './integrity.ts'
import { type KnownDatabase, type PageFacts, readPageFacts, redefinedTables, tableWorks } from './known.ts'
import { revivedError } from './plain-error.ts'
import { type DumpOptions, planDump, rowSources } from './plan-dump.ts'
import type { SharedFile, Snapshot } from './snapshot.ts'

/** A dump that is under way. */
export interface RunningDump {
  /** Yields its files and returns its tables, as `dumpDatabase` does; `KeptFile` where a chunk is known. */
  files: AsyncGenerator<DumpFile | KeptFile, DumpedTable[]> | Generator<DumpFile | KeptFile, DumpedTable[]>
  /** Whether all is read, as nothing fits that was known. */
  isWhole: boolean
  /** The pages that it reads, where they can be remembered. */
  facts: PageFacts | undefined
  /** Ends it, done or not. */
  stop(): Promise<void>
}

/** Rendering so many rows takes as long as starting a thread. */
const threadRows = 50_000

/** Rendering this part of all rows takes as long as the copy that threads may need: 0.6 of 2.6 s, at 300 MB. */
const threadPart = 0.25

/** So do the rows of so many bytes. */
const threadBytes = 8 * 2 ** 20

/** Pages of rows are small objects to V8, which would keep many; with 16 MB, as usual, 50 MB more at 3 GB of rows. */
const maxYoungGenerationSizeMb = 3

/** What was done before. */
export interface DoneBefore {
  /** The pages were checked. */
  isChecked?: boolean
  /** What the last backup saw. */
  known?: KnownDatabase | undefined
}

/**
 * Starts a dump, of what is not known only, and, where nothing is known, a check of the pages, whose error names
 * `file`. Threads read a file where they see the same: of a live source they may see a later state, rows that the
 * schema and the sequences of `db` do not know.
 */
export async function startDump(
  { db, shared, originals, pages }: Omit<Snapshot, 'close'>,
  file: string,
  options: DumpOptions,
  { isChecked = false, known }: DoneBefore = {},
): Promise<RunningDump> {
  const mayThread = databaseBytes(db) >= threadBytes
  // A damaged database must not be planned before it is checked: SQLite may say something less clear about it.
  const isCheckedFirst = isChecked || (!known && !mayThread)
  if (isCheckedFirst && !isChecked) checkIntegrity(db, file)
  const planned = planDump(db, options, originals)
  const readFacts = async () => pages && (await readPageFacts(pages, planned))
  // Where nothing is known, all is to be done whatever the pages are: they are read beside that.
  const changed = known && (await readFacts())
  const changes = tableWorks(planned, changed, known)
  const isWhole = changes === undefined
  const works = changes ?? rowSources(planned).map((source) => ({ source }))
  // Rowids without a name are read by a connection that can write.
  const canThread = mayThread && works.every(({ source }) => source.hiddenRowid === undefined)
  const isLong = isWhole || isMuch(works, changed)
  const { encoding } = planned.plan.settings
  const { extensions } = options
  const order = { file, encoding, extensions, works, isChecked: isChecked || !isWhole }
  const threads = canThread && isLong ? await startThreads(shared(), order) : undefined
  try {
    const facts = changed ?? (await readFacts())
    if (!isWhole && facts && known) checkDuplicates(db, file, redefinedTables(facts, known))
    else if (!isCheckedFirst && !threads) checkIntegrity(db, file)
    const files = threads
      ? receive(threads, (tables) => dumpScripts(db, planned, tables))
      : dumpPlanned(db, planned, works)
    return { files, isWhole, facts, stop: () => stopThreads(threads ?? []) }
  } catch (error) {
    await stopThreads(threads ?? [])
    throw error
  }
}

/** Threads that see the snapshot; undefined where no file lets them. */
async function startThreads(
  files: AsyncGenerator<SharedFile>,
  order: Omit<DumpOrder, 'path' | 'taken' | 'used'>,
): Promise<DumpThread[] | undefined> {
  for await (const { path, isSame } of files) {
    const taken = new Int32Array(new SharedArrayBuffer(4))
    const threads = Array.from({ length: 2 }, () => new DumpThread({ ...order, path, taken }))
    const begun = await Promise.all(threads.map((thread) => thread.hasBegun()))
    if (begun.every(Boolean) && isSame()) return threads
    await stopThreads(threads)
  }
  return undefined
}

async function stopThreads(threads: readonly DumpThread[]): Promise<void> {
  await Promise.all(threads.map((thread) => thread.stop()))
}

function databaseBytes(db: Database): number {
  const number = (pragma: string): number => Number(db.pragma(pragma, { simple: true }))
  return number('page_count') * number('page_size')
}

/** Whether threads are worth what they take to render those rows. */
function isMuch(works: readonly TableWork[], facts: PageFacts | undefined): boolean {
  let [rendered, all] = [0, 0]
  for (const { source, steps } of works) {
    const rows = sum(facts?.trees.get(source.table)?.rows ?? [])
    rendered += steps ? sum(steps.map((step) => ('rows' in step ? step.rows.count : 0))) : rows
    all += rows
  }
  return rendered >= Math.max(threadRows, threadPart * all)
}

function sum(numbers: Iterable<number>): number {
  let total = 0
  for (const number of numbers) total += number
  return total
}

/** Yields the files of all threads as they come, then the scripts. */
async function* receive(
  threads: DumpThread[],
  scripts: (tables: DumpedTable[]) => DumpFile[],
): AsyncGenerator<DumpFile | KeptFile, DumpedTable[]> {
  const tables: DumpedTable[] = []
  const running = new Map(threads.map((thread) => [thread, thread.next()]))
  while (running.size > 0) {
    const { thread, message } = await Promise.race(running.values())
    if (message.kind === 'failed') throw revivedError(message.error)
    if (message.kind === 'table') tables.push(message.table)
    if (message.kind === 'file') {
      // Whoever takes the file may release its content.
      const size = kilobytes(message.file)
      yield message.file
      thread.use(size)
    }
    if (message.kind === 'done') running.delete(thread)
    else running.set(thread, thread.next())
  }
  yield* scripts(tables)
  return tables
}

/** One dumping thread and what it has posted. */
class DumpThread {
  private readonly ended: Promise<unknown>
  private readonly used = new Int32Array(new SharedArrayBuffer(4))
  private readonly waiting: DumpMessage[] = []
  private failure: Error | undefined
  private wake = (): void => {}

  constructor(order: Omit<DumpOrder, 'used'>) {
    const file = join(packageRoot, 'dist', 'program', 'dump-worker.js')
    const workerData = { ...order, used: this.used } satisfies DumpOrder
    const worker = new Worker(file, { workerData, resourceLimits: { maxYoungGenerationSizeMb } })
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

  /** Waits for its first message: whether it has opened the database, and what it sees of it is fixed. */
  async hasBegun(): Promise<boolean> {
    try {
      return (await this.next()).message.kind === 'begun'
    } catch {
      return false
    }
  }

  /** Makes room for so many kilobytes more. */
  use(size: number): void {
    Atomics.add(this.used, 0, size)
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
  if ('oid' in message.file) return message
  const { buffer, byteOffset, byteLength } = message.file.content
  return { ...message, file: { ...message.file, content: Buffer.from(buffer, byteOffset, byteLength) } }
}
