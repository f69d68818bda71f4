/** Threads that render a live database see what the backup sees, and nothing later. */

import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { dumpDatabase } from '../../src/sqlite/dump.ts'
import { type DumpTask, kilobytes } from '../../src/sqlite/dump-message.ts'
import { DumpThread } from '../../src/sqlite/dump-thread.ts'
import { planDump, rowSources } from '../../src/sqlite/plan-dump.ts'
import { openSnapshot, type Snapshot } from '../../src/sqlite/snapshot.ts'
import { startDump } from '../../src/sqlite/start-dump.ts'
import { databaseFrom, openApplication } from '../support/database.ts'
import { tempDir } from '../support/temp.ts'

const options = { excludeTables: [], fullText: 'logical' as const, extensions: [] }

/** Large enough for threads, and open in another process. */
async function liveDatabase(): Promise<string> {
  const file = databaseFrom(`
    PRAGMA journal_mode=WAL;
    CREATE TABLE a(id INTEGER PRIMARY KEY, t);
    CREATE TABLE b(id INTEGER PRIMARY KEY, t);
    INSERT INTO a SELECT value, hex(randomblob(40)) FROM generate_series(1, 60000);
    INSERT INTO b SELECT id, t FROM a;`)
  await openApplication(file, 'SELECT count(*) FROM a;')
  return file
}

/** When somebody else commits. */
type Moment = 'never' | 'before threads begin' | 'once threads have begun' | 'while they render'

/** Dumps a live database by threads and here, from one snapshot; `copies` is how often the source was copied for that. */
async function dumps(file: string, moment: Moment) {
  const commit = (): void => {
    execFileSync('sqlite3', [file, "INSERT INTO a VALUES(70000,'later')"])
  }
  const workDir = tempDir()
  const snapshot = await openSnapshot(file, { workDir, busyTimeoutMs: 1000, extensions: [] })
  const watched: Omit<Snapshot, 'close'> = {
    ...snapshot,
    async *shared() {
      for await (const { path, isSame } of snapshot.shared()) {
        if (path === file && moment === 'before threads begin') commit()
        const isSameThen = (): boolean => {
          if (path === file && moment === 'once threads have begun') commit()
          return isSame()
        }
        yield { path, isSame: isSameThen }
      }
    },
  }
  try {
    const running = await startDump(watched, file, options)
    const byThreads: string[] = []
    for await (const { path, ...found } of running.files) {
      if (byThreads.length === 0 && moment === 'while they render') commit()
      byThreads.push(`${path} ${'content' in found ? found.content.toString() : found.oid}`)
    }
    await running.stop()
    const here = [...dumpDatabase(snapshot.db, options)]
    return {
      byThreads: byThreads.sort().join('\n'),
      here: here
        .map(({ path, content }) => `${path} ${content.toString()}`)
        .sort()
        .join('\n'),
      copies: readdirSync(workDir).length,
    }
  } finally {
    await snapshot.close()
  }
}

test.each<[Moment, number]>([
  ['never', 0],
  ['before threads begin', 1],
  ['once threads have begun', 1],
  ['while they render', 0],
])(
  'Where somebody commits %s, threads see what was there before, with %i copies.',
  async (moment, wanted) => {
    const { byThreads, here, copies } = await dumps(await liveDatabase(), moment)
    expect(copies).toBe(wanted)
    expect(here.length).toBeGreaterThan(8 * 2 ** 20)
    expect(here).not.toContain('later')
    expect(byThreads === here).toBe(true)
  },
)

test.each(['UTF-8', 'UTF-16le'])(
  'Threads that are stopped in the middle of tables in %s end.',
  async (encoding) => {
    const file = databaseFrom(`
    PRAGMA encoding='${encoding}';
    CREATE TABLE a(id INTEGER PRIMARY KEY, t);
    CREATE TABLE b(id INTEGER PRIMARY KEY, t);
    INSERT INTO a SELECT value, hex(randomblob(60)) FROM generate_series(1, 60000);
    INSERT INTO b SELECT id, t FROM a;`)
    const snapshot = await openSnapshot(file, { workDir: tempDir(), busyTimeoutMs: 1000, extensions: [] })
    const running = await startDump(snapshot, file, options)
    expect((await running.files.next()).done).toBe(false)
    await running.stop()
    await running.files.return([])
    await snapshot.close()
  },
)

test('A thread whose files nobody takes waits with a few of them.', async () => {
  const file = databaseFrom(`
    CREATE TABLE a(id INTEGER PRIMARY KEY, b);
    INSERT INTO a SELECT value, randomblob(10000) FROM generate_series(1, 1000);`)
  const snapshot = await openSnapshot(file, { workDir: tempDir(), busyTimeoutMs: 1000, extensions: [] })
  const tasks = rowSources(planDump(snapshot.db, options)).map(
    (source): DumpTask => ({ kind: 'table', work: { source } }),
  )
  const thread = new DumpThread({ path: file, file, encoding: 'UTF-8', extensions: [] }, tasks)
  expect(await thread.hasBegun()).toBe(true)
  thread.takeTask()
  /** Kilobytes of the files that come until none has for a while. */
  const received = async (): Promise<number> => {
    let sum = 0
    for (;;) {
      const next = await Promise.race([thread.next(), sleep(1000)])
      if (next === undefined || next.message.kind === 'done') return sum
      if (next.message.kind === 'file') sum += kilobytes(next.message.file)
    }
  }
  const first = await received()
  expect(first).toBeGreaterThan(0)
  expect(first).toBeLessThan(6000)
  thread.use(first)
  const second = await received()
  expect(second).toBeGreaterThan(0)
  expect(first + second).toBeLessThan(12_000)
  await thread.stop()
  await snapshot.close()
})
