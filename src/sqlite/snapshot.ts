/**
 * Opens a consistent view of a live database that no later commit changes. The source is only ever read: no
 * checkpoint, no recovery, no file made beside it, no lock held for longer than a copy of its pages takes.
 */

import { constants, type Stats } from 'node:fs'
import { copyFile, mkdir, open, realpath, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import type { Original } from '../dump/legible.ts'
import { errorText, hasErrno, RowbackError } from '../errors.ts'
import { allowSchema } from './connection.ts'
import { cutShortError, refuseCutShort } from './cut-short.ts'
import { needsWritableCheck } from './foreign-content.ts'
import { mayHideRowids } from './hidden-rowids.ts'
import { hasLegibleSchema, makeLegible } from './make-legible.ts'
import { LiveFiles, type Pages, pagesOfCopy } from './pages.ts'
import { refuseTornJournal } from './torn-journal.ts'

/** A consistent view; the connection is read by the dump and closed by `close`, which removes what it needed. */
export interface Snapshot {
  db: Database.Database
  /** The file that `db` has open: the source, or a private copy of it. */
  path: string
  isPrivate: boolean
  /** Its pages, where they can be read beside `db`. */
  pages: Pages | undefined
  /** What was rewritten in a private copy, as its schema is not legible in the source. */
  originals: readonly Original[]
  close(): Promise<void>
}

export interface SnapshotOptions {
  /** An existing private folder for copies of pages. */
  workDir: string
  /** How long a locked source is waited for. */
  busyTimeoutMs: number
  /** Absolute paths of extensions that the schema needs. */
  extensions: readonly string[]
  /** Whether all rows will be read: from a copy several threads can. */
  isReadWhole?: boolean
}

/** Rendering the rows of so many bytes takes as long as starting a thread, and as copying them. */
export const threadBytes = 8 * 2 ** 20

/** The first bytes of every SQLite database (sqlite.org/fileformat2.html, section 1.2). */
export const databaseMagic = Buffer.from('SQLite format 3\0', 'latin1')

/**
 * Opens a snapshot of the database file. Throws a `source` error where the file is missing, empty, no database,
 * cut short, corrupt, or locked for longer than the timeout.
 *
 * In WAL mode with a live application (its -wal and -shm are there) the snapshot is a read transaction on the
 * source itself, which blocks nobody. Otherwise, or where the schema asks for writes, it is a private copy: made under a shared lock in
 * rollback-journal mode, where a reader would keep the writer from committing, and under a check that no file
 * changed where there is no application to lock against and a reader would have to make files beside the source.
 */
export async function openSnapshot(file: string, options: SnapshotOptions): Promise<Snapshot> {
  const path = await resolveFile(file)
  const { wal } = await readHeader(path)
  try {
    // SQLite reads a WAL that is there whatever the header says of the mode.
    if (!wal && !(await statOrNone(`${path}-wal`))) return await copyRolledBack(path, options)
    if (await isInUse(path)) return await openLive(path, options)
    return (await copyUnlocked(path, options)) ?? (await openLive(path, options))
  } catch (error) {
    throw (sqliteCode(error).startsWith('SQLITE_CORRUPT') && (await cutShort(path))) || error
  }
}

async function resolveFile(file: string): Promise<string> {
  try {
    return await realpath(file)
  } catch (error) {
    throw unreadable(file, error)
  }
}

function unreadable(path: string, error: unknown): RowbackError {
  const cause = hasErrno(error, 'ENOENT') ? 'it does not exist' : errorText(error)
  return new RowbackError('source', `read ${path}: ${cause}; nothing was committed`, { cause: error })
}

function refuse(path: string, cause: string, hint?: string): RowbackError {
  return new RowbackError('source', `read ${path}: ${cause}; nothing was committed`, { hint })
}

/** What the first page says about the file; read before SQLite opens it, so that no lock of ours is lost. */
async function readHeader(path: string): Promise<{ wal: boolean }> {
  const { header, size } = await readStart(path)
  if (size === 0) throw refuse(path, 'the file is empty')
  if (!header.subarray(0, 16).equals(databaseMagic))
    throw refuse(path, 'it is no SQLite database, or it is encrypted')
  return { wal: header[18] === 2 }
}

/** The 100 bytes of the header, zeros where the file is shorter, and the size of the file. */
async function readStart(path: string): Promise<{ header: Buffer; size: number }> {
  const header = Buffer.alloc(100)
  try {
    const file = await open(path, 'r')
    try {
      await file.read(header, 0, 100, 0)
      return { header, size: (await file.stat()).size }
    } finally {
      await file.close()
    }
  } catch (error) {
    throw unreadable(path, error)
  }
}

/**
 * The error for a file with fewer pages than its header counts, if it is one; the count holds if the change counter
 * equals the version-valid-for number. Only for a file that SQLite takes for corrupt: a writer that is just adding
 * pages writes the count first.
 */
async function cutShort(path: string): Promise<RowbackError | undefined> {
  const { header, size } = await readStart(path)
  const stored = header.readUInt16BE(16)
  const wanted = header.readUInt32BE(28) * (stored === 1 ? 65536 : stored)
  if (header.readUInt32BE(24) !== header.readUInt32BE(92) || size >= wanted) return undefined
  return cutShortError(path, size, wanted)
}

/** Whether an application has the database open in WAL mode, or has died with it open. */
async function isInUse(path: string): Promise<boolean> {
  const beside = await Promise.all(['-wal', '-shm'].map((ending) => statOrNone(path + ending)))
  return !beside.includes(undefined)
}

async function statOrNone(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path)
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined
    throw unreadable(path, error)
  }
}

/** A read transaction on the source itself. */
async function openLive(path: string, options: SnapshotOptions): Promise<Snapshot> {
  return (options.isReadWhole && (await copyLarge(path, options))) || openInPlace(path, options)
}

/** A copy of what is read faster by several threads, if there is room for it. */
async function copyLarge(path: string, options: SnapshotOptions): Promise<Snapshot | undefined> {
  if (((await statOrNone(path))?.size ?? 0) < threadBytes) return undefined
  const db = await openReadOnly(path, options)
  return copyLive(path, db, options).catch(() => undefined)
}

async function openInPlace(path: string, options: SnapshotOptions): Promise<Snapshot> {
  const files = LiveFiles.open(path)
  try {
    const db = await openReadOnly(path, options)
    if (!hasLegibleSchema(db) || needsWritableCheck(db) || mayHideRowids(db)) {
      const copy = await copyLive(path, db, options)
      files?.close()
      return copy
    }
    const pages = files?.pagesSeen(() => beginAgain(db))
    return {
      db,
      path,
      isPrivate: false,
      pages,
      originals: [],
      close: async () => {
        db.close()
        files?.close()
      },
    }
  } catch (error) {
    files?.close()
    throw error
  }
}

/** Sees what is committed by now; a WAL never keeps a reader waiting. */
function beginAgain(db: Database.Database): void {
  db.exec('COMMIT')
  db.exec('BEGIN')
  db.prepare('SELECT count(*) FROM sqlite_schema').get()
}

/** A copy of what a read transaction sees, which it ends. */
async function copyLive(path: string, db: Database.Database, options: SnapshotOptions): Promise<Snapshot> {
  const folder = await privateFolder(options)
  try {
    const copy = join(folder, basename(path))
    await db.backup(copy)
    return openCopy(path, copy, options)
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw copyError(path, error)
  } finally {
    db.close()
  }
}

/** Opens the source read-only and begins the transaction that fixes what is seen. */
async function openReadOnly(
  path: string,
  { busyTimeoutMs, extensions }: SnapshotOptions,
): Promise<Database.Database> {
  const givesUpAt = performance.now() + busyTimeoutMs
  let db: Database.Database | undefined
  try {
    db = new Database(path, { readonly: true, fileMustExist: true, timeout: 0 })
    allowSchema(db, extensions)
    db.exec('BEGIN')
    while (!isReadable(db, performance.now() < givesUpAt)) await sleep(pollMs)
    refuseCutShort(path, db, path)
    return db
  } catch (error) {
    db?.close()
    throw sourceError(path, error, busyTimeoutMs)
  }
}

/**
 * How often a locked source is asked again. SQLite's own wait soon asks ten times a second only, and a busy writer
 * leaves a few milliseconds between its commits (measured: 10 s were not always enough to meet them).
 */
const pollMs = 2

/** Whether a lock for reading was to be had; throws what SQLite says where not and nobody waits any longer. */
function isReadable(db: Database.Database, isPatient: boolean): boolean {
  try {
    db.prepare('SELECT count(*) FROM sqlite_schema').get()
    return true
  } catch (error) {
    if (isPatient && sqliteCode(error).startsWith('SQLITE_BUSY')) return false
    throw error
  }
}

/**
 * A copy in rollback-journal mode. A journal beside the file is no sign of anything: a writer at work has one, and in
 * PERSIST mode it is always there. SQLite tells a hot one, which a dead writer has left, by the lack of a lock, and
 * sees one by mistake where a writer begins at that very moment; it is rolled back in the copy.
 */
async function copyRolledBack(path: string, options: SnapshotOptions): Promise<Snapshot> {
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

/** The code of the SQLite error behind an error; empty where there is none. */
function sqliteCode(error: unknown): string {
  const cause = error instanceof RowbackError ? error.cause : error
  return cause instanceof Database.SqliteError ? cause.code : ''
}

/** A copy of the pages made while a shared lock keeps every writer from committing. */
async function copyLocked(path: string, options: SnapshotOptions): Promise<Snapshot> {
  const db = await openReadOnly(path, options)
  try {
    const copy = join(await privateFolder(options), basename(path))
    // The lock of this process ends when any of its descriptors of the file is closed, so the copy comes last.
    await copyFile(path, copy, constants.COPYFILE_FICLONE)
    return openCopy(path, copy, options)
  } catch (error) {
    throw copyError(path, error)
  } finally {
    db.close()
  }
}

const copyTries = 5

/** Longer than any tick of a kernel's clock, within which a second change leaves the times of a file as they are. */
const settleMs = 20

/** A copy of files that nobody changes meanwhile, journal and WAL included; undefined where somebody does. */
async function copyUnlocked(path: string, options: SnapshotOptions): Promise<Snapshot | undefined> {
  for (let tried = 0; tried < copyTries; tried++) {
    const folder = await privateFolder(options)
    const before = await fingerprint(path)
    await sleep(settleMs)
    try {
      for (const ending of before.keys()) {
        await copyFile(path + ending, join(folder, basename(path) + ending), constants.COPYFILE_FICLONE)
      }
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw copyError(path, error)
    }
    if (same(before, await fingerprint(path))) {
      const copy = join(folder, basename(path))
      if (before.has('-journal')) refuseTornJournal(path, `${copy}-journal`)
      return openCopy(path, copy, options)
    }
    await rm(folder, { recursive: true, force: true })
    await sleep(100)
  }
  return undefined
}

/** Size, time and inode of the database and of what belongs to it, by ending. */
async function fingerprint(path: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const ending of ['', '-journal', '-wal']) {
    const stats = await statOrNone(path + ending)
    if (stats) found.set(ending, `${stats.size} ${stats.mtimeMs} ${stats.ctimeMs} ${stats.ino}`)
  }
  return found
}

function same(a: Map<string, string>, b: Map<string, string>): boolean {
  return a.size === b.size && [...a].every(([ending, print]) => b.get(ending) === print)
}

async function privateFolder({ workDir }: SnapshotOptions): Promise<string> {
  const folder = join(workDir, `copy-${process.hrtime.bigint()}`)
  await mkdir(folder, { mode: 0o700 })
  return folder
}

/** Opens a private copy; SQLite may recover its journal or WAL there. */
function openCopy(source: string, copy: string, { extensions }: SnapshotOptions): Snapshot {
  let db: Database.Database | undefined
  let originals: Original[]
  let pages: Pages
  try {
    db = new Database(copy, { fileMustExist: true })
    allowSchema(db, extensions)
    db.prepare('SELECT count(*) FROM sqlite_schema').get()
    refuseCutShort(source, db, copy)
    originals = makeLegible(db)
    pages = pagesOfCopy(db, copy)
    db.pragma('query_only=ON')
    db.exec('BEGIN')
  } catch (error) {
    db?.close()
    throw sourceError(source, error)
  }
  const opened = db
  return {
    db: opened,
    path: copy,
    isPrivate: true,
    pages: originals.length > 0 ? undefined : pages,
    originals,
    close: async () => {
      opened.close()
      pages.close()
      await rm(join(copy, '..'), { recursive: true, force: true })
    },
  }
}

function copyError(path: string, error: unknown): unknown {
  if (error instanceof RowbackError) return error
  if (!hasErrno(error, 'ENOSPC')) return unreadable(path, error)
  return new RowbackError(
    'repository',
    `copy ${path}: no room left beside the repository; nothing was committed`,
    {
      cause: error,
    },
  )
}

/** The error for what SQLite says about a source while it is opened, checked or read. */
export function sourceError(path: string, error: unknown, busyTimeoutMs?: number): unknown {
  const code = error instanceof Database.SqliteError ? error.code : ''
  const cause = { cause: error }
  const say = (text: string, hint?: string): RowbackError =>
    new RowbackError('source', `read ${path}: ${text}; nothing was committed`, { ...cause, hint })
  if (code.startsWith('SQLITE_BUSY')) {
    const waited = busyTimeoutMs === undefined ? '' : ` for ${busyTimeoutMs / 1000} s`
    return say(
      `another process has kept it locked${waited}`,
      'raise busy-timeout in the settings, or stop the application',
    )
  }
  if (code === 'SQLITE_NOTADB') return say('it is no SQLite database, or it is encrypted')
  if (code.startsWith('SQLITE_CORRUPT')) {
    return say(
      `it is corrupt: ${errorText(error)}`,
      `sqlite3 ${JSON.stringify(path)} 'PRAGMA integrity_check'`,
    )
  }
  if (code.startsWith('SQLITE_')) return say(errorText(error))
  return error
}
