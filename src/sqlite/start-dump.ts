/** Starts the check and dump of a snapshot: those of a large one in threads, beside git, which compresses. */

import type { Database } from 'better-sqlite3'
import { dumpPlanned, dumpScripts } from './dump.ts'
import { type DumpOrder, type DumpTask, kilobytes } from './dump-message.ts'
import type { DumpedTable, DumpFile, KeptFile, TableWork } from './dump-rows.ts'
import { DumpThread } from './dump-thread.ts'
import { checkDuplicates, checkIntegrity } from './integrity.ts'
import {
  type Changes,
  changesSince,
  type KnownDatabase,
  type PageFacts,
  readPageFacts,
  redefinedTables,
  releaseTreesOf,
  type SeenPages,
  takeSeenPages,
} from './known.ts'
import { revivedError } from './plain-error.ts'
import { type DumpOptions, planDump, rowSources } from './plan-dump.ts'
import type { SharedFile, Snapshot } from './snapshot.ts'
import { mayHaveEqualRows } from './unique-rows.ts'

/** A dump that is under way. */
export interface RunningDump {
  /** Yields its files and returns its tables, as `dumpDatabase` does; `KeptFile` where a chunk is known. */
  files: AsyncGenerator<DumpFile | KeptFile, DumpedTable[]> | Generator<DumpFile | KeptFile, DumpedTable[]>
  /** Whether all is read, as nothing fits that was known. */
  isWhole: boolean
  /** What is to be remembered of the pages that it reads, where it can be. */
  seen: SeenPages | undefined
  /** Ends it, done or not. */
  stop(): Promise<void>
}

/** Rendering so many rows takes as long as starting a thread. */
const threadRows = 50_000

/** Rendering this part of all rows takes as long as the copy that threads may need: 0.6 of 2.6 s, at 300 MB. */
const threadPart = 0.25

/** So do the rows of so many bytes. */
const threadBytes = 8 * 2 ** 20

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
  const readFacts = async () => pages && (await readPageFacts(pages, planned, sqliteVersion(db)))
  // Where nothing is known, all is to be done whatever the pages are: they are read beside that.
  const changed = known && (await readFacts())
  const changes = changesSince(planned, changed, known)
  const isWhole = changes === undefined
  const works = changes?.works ?? rowSources(planned).map((source) => ({ source }))
  // Rowids without a name are read by a connection that can write.
  const canThread = mayThread && works.every(({ source }) => source.hiddenRowid === undefined)
  const isLong = isWhole || isMuch(works, changed)
  const { encoding } = planned.plan.settings
  const { extensions } = options
  const order = { file, encoding, extensions }
  const check: DumpTask[] = isChecked || !isWhole ? [] : [{ kind: 'check' }]
  const tasks = [...check, ...works.map((work): DumpTask => ({ kind: 'table', work }))]
  const threads = canThread && isLong ? await startThreads(shared(), order, tasks) : undefined
  try {
    const facts = changed ?? (await readFacts())
    if (changes && facts && known) {
      refuseEqualRows(db, file, changes, facts, known)
      releaseTreesOf(changes)
    } else if (!isCheckedFirst && !threads) checkIntegrity(db, file)
    const files = threads
      ? receive(threads, (tables) => dumpScripts(db, planned, tables))
      : dumpPlanned(db, planned, works)
    return { files, isWhole, seen: facts && takeSeenPages(facts), stop: () => stopThreads(threads ?? []) }
  } catch (error) {
    await stopThreads(threads ?? [])
    throw error
  }
}

/** Throws a `source` error where rows are equal in a unique index by what has changed; whole tables are read only where they may be. */
function refuseEqualRows(
  db: Database,
  file: string,
  { trees }: Changes,
  facts: PageFacts,
  known: KnownDatabase,
): void {
  const unsure = trees.filter((changed) => mayHaveEqualRows(db, facts.pages, changed))
  const tables = [...redefinedTables(facts, known), ...unsure.map(({ source }) => source.readFrom)]
  checkDuplicates(db, file, [...new Set(tables)])
}

/** Another version may write a value in another way. */
function sqliteVersion(db: Snapshot['db']): string {
  return db.prepare('SELECT sqlite_version()').pluck().get() as string
}

/** Threads that see the snapshot and are at those tasks; undefined where no file lets them. */
async function startThreads(
  files: AsyncGenerator<SharedFile>,
  order: Omit<DumpOrder, 'path' | 'used'>,
  tasks: DumpTask[],
): Promise<DumpThread[] | undefined> {
  for await (const { path, isSame } of files) {
    const threads: DumpThread[] = []
    let seeTheSame = false
    try {
      while (threads.length < 2) threads.push(new DumpThread({ ...order, path }, tasks))
      const begun = await Promise.all(threads.map((thread) => thread.hasBegun()))
      seeTheSame = begun.every(Boolean) && isSame()
    } finally {
      if (!seeTheSame) await stopThreads(threads)
    }
    if (!seeTheSame) continue
    for (const thread of threads) thread.takeTask()
    return threads
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
