/**
 * Opens a consistent view of a live database that no later commit changes. The source is only ever read: no
 * checkpoint, no file made beside it, no lock held for longer than a copy of its pages takes. Only the index of a WAL whose
 * application has died is made anew, as by any reader.
 */

import type Database from 'better-sqlite3'
import type { Original } from '../dump/legible.ts'
import { RowbackError } from '../errors.ts'
import { needsWritableCheck } from './foreign-content.ts'
import { mayHideRowids } from './hidden-rowids.ts'
import { hasLegibleSchema } from './make-legible.ts'
import { LiveFiles, type Pages } from './pages.ts'
import { beginAgain, openReadOnly, SourceReplaced } from './read-transaction.ts'
import {
  copyLive,
  copyRolledBack,
  copySeen,
  copyUnlocked,
  type PrivateCopy,
  privateFile,
} from './snapshot-copy.ts'
import { sqliteCode } from './source-error.ts'
import { cutShort, isInUse, readHeader, resolveFile, statOrNone } from './source-file.ts'

/** A file for other connections. */
export interface SharedFile {
  path: string
  /** Whether a connection that began to read it at some time before this call sees the snapshot. */
  isSame(): boolean
}

/** A consistent view; the connection is read by the dump and closed by `close`, which removes what it needed. */
export interface Snapshot {
  db: Database.Database
  /** The files where other connections may see it, too, the cheapest first; none where there is no room for a copy. */
  shared(): AsyncGenerator<SharedFile>
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
}

/**
 * Opens a snapshot of the database file. Throws a `source` error where the file is missing, empty, no database,
 * cut short, corrupt, or locked for longer than the timeout.
 *
 * In WAL mode with a live application (its -wal and -shm are there) the snapshot is a read transaction on the
 * source itself, which blocks nobody. Otherwise, or where the schema asks for writes, it is a private copy: made under
 * a shared lock in rollback-journal mode, where a reader would keep the writer from committing, and under a check that
 * no file changed where there is no application to lock against and a reader would have to make files beside the source.
 */
export async function openSnapshot(file: string, options: SnapshotOptions): Promise<Snapshot> {
  for (let tried = 1; ; tried++) {
    const path = await resolveFile(file)
    const { wal } = await readHeader(path)
    try {
      return await openAs(wal, path, options)
    } catch (error) {
      if (error instanceof SourceReplaced && tried < mostTries) continue
      if (error instanceof SourceReplaced) throw replaced(path)
      throw (sqliteCode(error).startsWith('SQLITE_CORRUPT') && (await cutShort(path))) || error
    }
  }
}

/** How often a database may be replaced, or change its mode, while it is opened. */
const mostTries = 10

function replaced(path: string): RowbackError {
  const cause = 'it was replaced again and again while it was opened'
  return new RowbackError('source', `read ${path}: ${cause}; nothing was committed`)
}

/** Opens it as its mode asks for. */
async function openAs(isWal: boolean, path: string, options: SnapshotOptions): Promise<Snapshot> {
  // SQLite reads a WAL that is there whatever the header says of the mode.
  if (!isWal && !(await statOrNone(`${path}-wal`))) return copyRolledBack(path, options)
  if (await isInUse(path)) return openInPlace(path, options)
  return (await copyUnlocked(path, options)) ?? openInPlace(path, options)
}

/** A read transaction on the source itself. */
async function openInPlace(path: string, options: SnapshotOptions): Promise<Snapshot> {
  const files = LiveFiles.open(path)
  let db: Database.Database | undefined
  try {
    db = await openReadOnly(path, options)
    const opened = db
    // It may begin another transaction, so all else is asked afterwards.
    const pages = files?.pagesSeen(() => beginAgain(opened))
    if (!hasLegibleSchema(db) || needsWritableCheck(db) || mayHideRowids(db)) {
      const copy = await copyLive(path, db, options)
      files?.close()
      return copy
    }
    let copy: PrivateCopy | undefined
    return {
      db: opened,
      async *shared() {
        if (files?.isSeen()) yield { path, isSame: () => files.isSeen() }
        copy ??= await copySeen(path, opened, options).catch(() => undefined)
        if (copy) yield* privateFile(copy.path)
      },
      pages,
      originals: [],
      close: async () => {
        opened.close()
        files?.close()
        await copy?.remove()
      },
    }
  } catch (error) {
    db?.close()
    files?.close()
    throw error
  }
}
