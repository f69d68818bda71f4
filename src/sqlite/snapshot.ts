/**
 * Opens a consistent view of a live database that no later commit changes. The source is only ever read: no
 * checkpoint, no recovery, no file made beside it, no lock held for longer than a copy of its pages takes.
 */

import { constants, type Stats } from 'node:fs'
import { copyFile, mkdir, open, realpath, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { errorText, hasErrno, RowbackError } from '../errors.ts'

/** A consistent view; the connection is read by the dump and closed by `close`, which removes what it needed. */
export interface Snapshot {
  db: Database.Database
  close(): Promise<void>
}

export interface SnapshotOptions {
  /** An existing private folder for copies of pages. */
  workDir: string
  /** How long a locked source is waited for. */
  busyTimeoutMs: number
}

/** The first bytes of every SQLite database (sqlite.org/fileformat2.html, section 1.2). */
export const databaseMagic = Buffer.from('SQLite format 3\0', 'latin1')

/**
 * Opens a snapshot of the database file. Throws a `source` error where the file is missing, empty, no database,
 * cut short, corrupt, or locked for longer than the timeout.
 *
 * In WAL mode with a live application (its -wal and -shm are there) the snapshot is a read transaction on the
 * source itself, which blocks nobody. Otherwise it is a private copy: made under a shared lock in
 * rollback-journal mode, where a reader would keep the writer from committing, and under a check that no file
 * changed where there is no application to lock against and a reader would have to make files beside the source.
 */
export async function openSnapshot(file: string, options: SnapshotOptions): Promise<Snapshot> {
  const path = await resolveFile(file)
  const header = await readHeader(path)
  const beside = await readBeside(path)
  if (header.wal && beside.wal && beside.shm) return openLive(path, options)
  if (header.wal || beside.journal) {
    const copied = await copyUnlocked(path, options)
    if (copied) return copied
    return header.wal ? openLive(path, options) : copyLocked(path, options)
  }
  return copyLocked(path, options)
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
  const bytes = Buffer.alloc(100)
  let size: number
  try {
    const file = await open(path, 'r')
    try {
      await file.read(bytes, 0, 100, 0)
      size = (await file.stat()).size
    } finally {
      await file.close()
    }
  } catch (error) {
    throw unreadable(path, error)
  }
  if (size === 0) throw refuse(path, 'the file is empty')
  if (!bytes.subarray(0, 16).equals(databaseMagic))
    throw refuse(path, 'it is no SQLite database, or it is encrypted')
  const wal = bytes[18] === 2
  if (!wal) refuseCutShort(path, bytes, size)
  return { wal }
}

/** The page count in the header holds if its change counter equals the version-valid-for number. */
function refuseCutShort(path: string, header: Buffer, size: number): void {
  const stored = header.readUInt16BE(16)
  const wanted = header.readUInt32BE(28) * (stored === 1 ? 65536 : stored)
  if (header.readUInt32BE(24) !== header.readUInt32BE(92) || size >= wanted) return
  throw refuse(
    path,
    `the file is cut short: ${size} of ${wanted} bytes are there`,
    'restore it from an earlier commit',
  )
}

async function readBeside(path: string): Promise<{ wal: boolean; shm: boolean; journal: boolean }> {
  const exists = async (ending: string): Promise<boolean> => (await statOrNone(path + ending)) !== undefined
  const journal = await statOrNone(`${path}-journal`)
  return {
    wal: await exists('-wal'),
    shm: await exists('-shm'),
    journal: journal !== undefined && journal.size > 0,
  }
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
function openLive(path: string, options: SnapshotOptions): Snapshot {
  const db = openReadOnly(path, options)
  return {
    db,
    close: async () => {
      db.close()
    },
  }
}

/** Opens the source read-only and begins the transaction that fixes what is seen. */
function openReadOnly(path: string, { busyTimeoutMs }: SnapshotOptions): Database.Database {
  let db: Database.Database | undefined
  try {
    db = new Database(path, { readonly: true, fileMustExist: true, timeout: busyTimeoutMs })
    db.exec('BEGIN')
    db.prepare('SELECT count(*) FROM sqlite_schema').get()
    return db
  } catch (error) {
    db?.close()
    throw sourceError(path, error, busyTimeoutMs)
  }
}

/** A copy of the pages made while a shared lock keeps every writer from committing. */
async function copyLocked(path: string, options: SnapshotOptions): Promise<Snapshot> {
  const db = openReadOnly(path, options)
  try {
    const copy = join(await privateFolder(options), basename(path))
    // The lock of this process ends when any of its descriptors of the file is closed, so the copy comes last.
    await copyFile(path, copy, constants.COPYFILE_FICLONE)
    return openCopy(path, copy)
  } catch (error) {
    throw copyError(path, error)
  } finally {
    db.close()
  }
}

const copyTries = 5

/** A copy of files that nobody changes meanwhile, journal and WAL included; undefined where somebody does. */
async function copyUnlocked(path: string, options: SnapshotOptions): Promise<Snapshot | undefined> {
  for (let tried = 0; tried < copyTries; tried++) {
    const folder = await privateFolder(options)
    const before = await fingerprint(path)
    try {
      for (const ending of before.keys()) {
        await copyFile(path + ending, join(folder, basename(path) + ending), constants.COPYFILE_FICLONE)
      }
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw copyError(path, error)
    }
    if (same(before, await fingerprint(path))) return openCopy(path, join(folder, basename(path)))
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
function openCopy(source: string, copy: string): Snapshot {
  let db: Database.Database | undefined
  try {
    db = new Database(copy, { fileMustExist: true })
    db.prepare('SELECT count(*) FROM sqlite_schema').get()
    db.pragma('query_only=ON')
    db.exec('BEGIN')
  } catch (error) {
    db?.close()
    throw sourceError(source, error)
  }
  const opened = db
  return {
    db: opened,
    close: async () => {
      opened.close()
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
