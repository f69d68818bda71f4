/** Private copies of a source, and snapshots of them. */

import { constants, type Stats } from 'node:fs'
import { copyFile, mkdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type Database from 'better-sqlite3'
import type { Original } from '../dump/legible.ts'
import { errorText, hasErrno, RowbackError } from '../errors.ts'
import { allowSchema } from './connection.ts'
import { refuseCutShort } from './cut-short.ts'
import { diskFault } from './disk-fault.ts'
import { makeLegible } from './make-legible.ts'
import { openDatabase } from './open-database.ts'
import { type Pages, pagesOfCopy } from './pages.ts'
import { openReadOnly, SourceReplaced } from './read-transaction.ts'
import type { SharedFile, Snapshot, SnapshotOptions } from './snapshot.ts'
import { sourceError, sqliteCode } from './source-error.ts'
import { identityOf, mayAccess, statOrNone, unreadable } from './source-file.ts'
import { refuseTornJournal } from './torn-journal.ts'

/** A copy of what a read transaction sees, which it ends. */
export async function copyLive(
  path: string,
  db: Database.Database,
  options: SnapshotOptions,
): Promise<Snapshot> {
  try {
    const copy = await copySeen(path, db, options)
    return openCopy(path, copy.path, options)
  } finally {
    db.close()
  }
}

/** A file in a private folder, which `remove` removes. */
export interface PrivateCopy {
  path: string
  remove(): Promise<void>
}

/** Copies what a read transaction sees. */
export async function copySeen(
  path: string,
  db: Database.Database,
  options: SnapshotOptions,
): Promise<PrivateCopy> {
  const folder = await privateFolder(path, options)
  const copy = join(folder, basename(path))
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true })
  try {
    await db.backup(copy, { progress: () => pagesAStep })
    return { path: copy, remove }
  } catch (error) {
    // Where that cannot be done, it goes with the folder that it is in.
    await remove().catch(() => {})
    throw copyError(path, error)
  }
}

/** Many: between two steps SQLite looks at the schema anew. */
const pagesAStep = 4096

/**
 * A copy in rollback-journal mode. A journal beside the file is no sign of anything: a writer at work has one, and in
 * PERSIST mode it is always there. SQLite tells a hot one, which a dead writer has left, by the lack of a lock, and
 * sees one by mistake where a writer begins at that very moment; it is rolled back in the copy. Throws SourceReplaced, too.
 */
export async function copyRolledBack(path: string, options: SnapshotOptions): Promise<Snapshot> {
  for (let tried = 1; ; tried++) {
    try {
      return await copyLocked(path, options)
    } catch (error) {
      if (sqliteCode(error) !== 'SQLITE_READONLY_ROLLBACK' || tried === copyTries) throw error
      const copied = await copyUnlocked(path, options)
      if (copied) return copied
    }
  }
}

/**
 * A copy of the pages made while a shared lock keeps every writer from committing. All else comes before that lock or after
 * it: a writer that waits for nothing fails meanwhile.
 */
async function copyLocked(path: string, options: SnapshotOptions): Promise<Snapshot> {
  const folder = await privateFolder(path, options)
  const copy = join(folder, basename(path))
  try {
    const before = identityOf(path)
    const db = await openReadOnly(path, options)
    try {
      // In WAL mode it keeps nobody from writing.
      if (db.pragma('journal_mode', { simple: true }) === 'wal') throw new SourceReplaced(path)
      // The lock of this process ends when any of its descriptors of the file is closed, so nothing is read after that.
      await copyFile(path, copy, constants.COPYFILE_FICLONE)
      // It was copied by its name, and locked as a file.
      if (identityOf(path) !== before) throw new SourceReplaced(path)
    } finally {
      db.close()
    }
  } catch (error) {
    // Where that cannot be done, it goes with the folder that it is in.
    await rm(folder, { recursive: true, force: true }).catch(() => {})
    throw copyError(path, error)
  }
  return openCopy(path, copy, options)
}

const copyTries = 5

/**
 * Longer than any tick within which a second change leaves the times of a file as they are: of a kernel's clock, or of a file
 * system that keeps whole seconds, or as FAT every other one.
 */
function settleMs(files: Iterable<Stats>): number {
  const isCoarse = [...files].some(({ mtimeMs }) => mtimeMs % 1000 === 0 && Date.now() - mtimeMs < 2_500)
  return isCoarse ? 2_500 : 20
}

/** A copy of files that nobody changes meanwhile, journal and WAL included; undefined where somebody does. */
export async function copyUnlocked(path: string, options: SnapshotOptions): Promise<Snapshot | undefined> {
  for (let tried = 0; tried < copyTries; tried++) {
    const folder = await privateFolder(path, options)
    const before = await filesOf(path)
    await sleep(settleMs(before.values()))
    try {
      for (const ending of before.keys()) {
        await copyFile(path + ending, join(folder, basename(path) + ending), constants.COPYFILE_FICLONE)
      }
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw copyError(path, error)
    }
    if (areSame(before, await filesOf(path))) {
      const copy = join(folder, basename(path))
      if (before.has('-journal')) refuseTornJournal(path, `${copy}-journal`)
      return openCopy(path, copy, options)
    }
    await rm(folder, { recursive: true, force: true })
    await sleep(100)
  }
  return undefined
}

/** The database and what belongs to it, by ending. */
async function filesOf(path: string): Promise<Map<string, Stats>> {
  const found = new Map<string, Stats>()
  for (const ending of ['', '-journal', '-wal']) {
    const stats = await statOrNone(path + ending)
    if (stats) found.set(ending, stats)
  }
  return found
}

/** Whether nothing came, went or was written, by size, times and inode. */
function areSame(a: ReadonlyMap<string, Stats>, b: ReadonlyMap<string, Stats>): boolean {
  const facts = ['size', 'mtimeMs', 'ctimeMs', 'ino'] as const
  return (
    a.size === b.size &&
    [...a].every(([ending, stats]) => facts.every((fact) => b.get(ending)?.[fact] === stats[fact]))
  )
}

async function privateFolder(path: string, { workDir }: SnapshotOptions): Promise<string> {
  const folder = join(workDir, `copy-${process.hrtime.bigint()}`)
  await mkdir(folder, { mode: 0o700 }).catch((error: unknown) => {
    throw copyError(path, error)
  })
  return folder
}

/** Opens a private copy; SQLite may recover its journal or WAL there. */
function openCopy(source: string, copy: string, { extensions }: SnapshotOptions): Snapshot {
  let db: Database.Database | undefined
  let originals: Original[]
  let pages: Pages
  try {
    db = openDatabase(copy, { fileMustExist: true })
    allowSchema(db, extensions)
    db.prepare('SELECT count(*) FROM sqlite_schema').get()
    refuseCutShort(source, db, copy)
    originals = makeLegible(db)
    pages = pagesOfCopy(db, copy)
    db.pragma('query_only=ON')
    db.exec('BEGIN')
  } catch (error) {
    db?.close()
    const fault = diskFault(error)
    if (fault === undefined) throw sourceError(source, error)
    throw new RowbackError('repository', `copy ${source}: ${fault}; nothing was committed`, { cause: error })
  }
  const opened = db
  return {
    db: opened,
    shared: () => privateFile(copy),
    pages: originals.length > 0 ? undefined : pages,
    originals,
    close: async () => {
      opened.close()
      pages.close()
      // Where that cannot be done, it goes with the folder that it is in.
      await rm(join(copy, '..'), { recursive: true, force: true }).catch(() => {})
    },
  }
}

/** A file that nobody changes, for `Snapshot.shared`. */
export async function* privateFile(path: string): AsyncGenerator<SharedFile> {
  yield { path, isSame: () => true }
}

function copyError(path: string, error: unknown): unknown {
  if (error instanceof RowbackError || error instanceof SourceReplaced) return error
  const say = (problem: string): RowbackError =>
    new RowbackError('repository', `copy ${path}: ${problem}; nothing was committed`, { cause: error })
  if (hasErrno(error, 'ENOSPC', 'EDQUOT', 'SQLITE_FULL')) return say('no room left beside the repository')
  return isOfCopy(path, error) ? say(errorText(error)) : unreadable(path, error)
}

/** Whether it is the copy that could not be written, and not the source that could not be read. */
function isOfCopy(path: string, error: unknown): boolean {
  if (hasErrno(error, 'EROFS', 'SQLITE_IOERR_WRITE', 'SQLITE_CANTOPEN', 'SQLITE_READONLY')) return true
  // Node.js names both files of a copy, and not the one that it is about.
  return hasErrno(error, 'EACCES', 'EPERM') && (error.syscall === 'mkdir' || mayAccess(path, constants.R_OK))
}
