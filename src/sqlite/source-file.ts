/** The files of a source as they lie on the disk, read before SQLite opens them. */

import { accessSync, type Stats, statSync } from 'node:fs'
import { open, realpath, stat } from 'node:fs/promises'
import { errorText, hasErrno, RowbackError } from '../errors.ts'
import { specialKind } from '../file-kind.ts'
import { cutShortError } from './cut-short.ts'

/** The first bytes of every SQLite database (sqlite.org/fileformat2.html, section 1.2). */
const databaseMagic = Buffer.from('SQLite format 3\0', 'latin1')

/**
 * The path behind symlinks. Throws a `source` error where there is none, and where it, or what SQLite would take for a file of
 * it, is a fifo, a socket or a device: whoever reads it may wait for ever.
 */
export async function resolveFile(file: string): Promise<string> {
  const path = await realpath(file).catch((error: unknown) => {
    throw unreadable(file, error)
  })
  const special = findSpecial([path, ...companionFiles(path)])
  if (special) throw refuse(special.file, `it is ${special.kind}`)
  return path
}

/** What SQLite looks for beside a database: -wal, -shm, -journal. */
export function companionFiles(path: string): string[] {
  return ['-wal', '-shm', '-journal'].map((ending) => path + ending)
}

/** Whether something that SQLite takes for a file of a database may keep it waiting for ever. */
export function hasSpecialCompanion(path: string): boolean {
  return findSpecial(companionFiles(path)) !== undefined
}

/** The first of these that is neither a file nor a folder, and what it is. Throws a `source` error where that cannot be told. */
function findSpecial(files: readonly string[]): { file: string; kind: string } | undefined {
  for (const file of files) {
    let stats: Stats | undefined
    try {
      stats = statSync(file, { throwIfNoEntry: false })
    } catch (error) {
      throw unreadable(file, error)
    }
    const kind = stats && specialKind(stats)
    if (kind) return { file, kind }
  }
  return undefined
}

export function unreadable(path: string, error: unknown): RowbackError {
  const cause = hasErrno(error, 'ENOENT') ? 'it does not exist' : errorText(error)
  return new RowbackError('source', `read ${path}: ${cause}; nothing was committed`, { cause: error })
}

function refuse(path: string, cause: string, hint?: string): RowbackError {
  return new RowbackError('source', `read ${path}: ${cause}; nothing was committed`, { hint })
}

/** What the first page says about the file; read before SQLite opens it, so that no lock of ours is lost. */
export async function readHeader(path: string): Promise<{ wal: boolean }> {
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
export async function cutShort(path: string): Promise<RowbackError | undefined> {
  const { header, size } = await readStart(path)
  const stored = header.readUInt16BE(16)
  const wanted = header.readUInt32BE(28) * (stored === 1 ? 65536 : stored)
  if (header.readUInt32BE(24) !== header.readUInt32BE(92) || size >= wanted) return undefined
  return cutShortError(path, size, wanted)
}

/** Whether an application has the database open in WAL mode, or has died with it open. */
export async function isInUse(path: string): Promise<boolean> {
  const beside = await Promise.all(['-wal', '-shm'].map((ending) => statOrNone(path + ending)))
  return !beside.includes(undefined)
}

export async function statOrNone(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path)
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined
    throw unreadable(path, error)
  }
}

/** Whether this user may access a file in that way: `constants.R_OK` or `W_OK` of access(2). */
export function mayAccess(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false
  }
}

/** Device and inode, by which a file is told under whatever path; undefined where there is none that can be seen. */
export function identityOf(file: string): string | undefined {
  try {
    const { dev, ino } = statSync(file, { bigint: true })
    return `${dev}:${ino}`
  } catch {
    return undefined
  }
}
