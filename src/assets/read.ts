/** Reads the content of an asset as it was at one moment, or says why that is not possible. */

import { randomUUID } from 'node:crypto'
import {
  type BigIntStats,
  closeSync,
  constants,
  createReadStream,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
} from 'node:fs'
import { copyFile, lstat, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { errorText, hasErrno, RowbackError } from '../errors.ts'
import { digests } from './digests.ts'
import type { DirectoryEntry, FileEntry, SymlinkEntry } from './manifest.ts'
import { shownPath } from './paths.ts'
import type { AssetFile } from './scan.ts'
import { sourceError, unreadable } from './source-error.ts'

/** A content of more bytes than this is copied aside instead of held in memory: 8 MiB. */
export const memoryBytes = 8 * 2 ** 20

/** How long to wait before each further attempt at a file that changed. */
const pausesMs = [50, 150, 400]

/** A copy of a large file. Whoever got it calls `dispose` once, which removes it. */
export interface SpooledContent {
  file: string
  /** In bytes. */
  size: number
  dispose(): Promise<void>
}

export type AssetContent = Buffer | SpooledContent

export interface ReadAsset {
  /** Size, mode and time at the moment of reading, which may be later than the scan. */
  entry: FileEntry
  /** The id of the content as a git blob. */
  oid: string
  content: AssetContent
}

/**
 * Reads a file below `root`; undefined if it is gone. Contents over 8 MiB are copied into `spoolDir`, as a reflink
 * where the file system can. A file that changes meanwhile is read again, three times. Throws a `source` error if
 * it cannot be read or keeps changing, a `target` error if the spool has no room.
 */
export async function readAsset(
  root: string,
  { path }: AssetFile,
  spoolDir: string,
): Promise<ReadAsset | undefined> {
  for (const [attempt, pauseMs] of [0, ...pausesMs].entries()) {
    if (pauseMs > 0) await setTimeout(pauseMs)
    const result = await readOnce(root, path, spoolDir, attempt === pausesMs.length)
    if (result !== 'changed') return result
  }
  throw unreadable(path, 'it keeps changing while it is read')
}

/** The manifest entry of an asset that has no content. */
export function entryWithoutContent({ path, kind, mode, target }: AssetFile): SymlinkEntry | DirectoryEntry {
  if (kind === 'symlink' && target !== undefined) return { kind, path, target }
  if (kind === 'directory') return { kind, path, mode }
  throw new RowbackError('fault', `list ${shownPath(path)}: a ${kind} has a content`)
}

/** One attempt. System calls are synchronous but for large files: scan-folder.ts says what that saves. */
async function readOnce(
  root: string,
  path: string,
  spoolDir: string,
  isLast: boolean,
): Promise<ReadAsset | undefined | 'changed'> {
  const file = join(root, path)
  let descriptor: number | undefined
  try {
    await settle(file)
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    return await readOpen(descriptor, file, path, spoolDir, isLast)
  } catch (error) {
    if (error instanceof RowbackError) throw error
    if (hasErrno(error, 'ENOENT', 'ENOTDIR') && error.path === file) return undefined
    // ELOOP: it is a symlink by now; ENXIO: a socket.
    if (hasErrno(error, 'ELOOP', 'ENXIO')) return 'changed'
    throw sourceError(path, error)
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

async function readOpen(
  descriptor: number,
  file: string,
  path: string,
  spoolDir: string,
  isLast: boolean,
): Promise<ReadAsset | 'changed'> {
  const stats = fstatSync(descriptor, { bigint: true })
  if (!stats.isFile() || (isFresh(stats) && !isLast)) return 'changed'
  const size = Number(stats.size)
  const content = size > memoryBytes ? await spool(file, path, spoolDir) : readAll(descriptor, size)
  let result: ReadAsset | 'changed' = 'changed'
  try {
    const length = Buffer.isBuffer(content) ? content.length : content.size
    if (length !== size || hasChanged(stats, descriptor, file)) return result
    const { sha256, oid } = await digests(
      size,
      Buffer.isBuffer(content) ? [content] : createReadStream(content.file),
    )
    const mode = Number(stats.mode) & 0o777
    result = { entry: { kind: 'file', path, size, mode, mtimeNs: stats.mtimeNs, sha256 }, oid, content }
    return result
  } finally {
    if (result === 'changed' && !Buffer.isBuffer(content)) await content.dispose()
  }
}

/** Longer than any tick of a kernel's clock, which is up to 10 ms. */
const settleMs = 20

/** Waits a moment if a file was written just now. */
async function settle(file: string): Promise<void> {
  if (isFresh(lstatSync(file, { bigint: true }))) await setTimeout(settleMs)
}

/**
 * Whether a file was written just now: another write within the same tick of the clock would leave its modification
 * time as it is. One that is written all the time stays fresh, and is read nevertheless in the end.
 */
function isFresh({ mtimeNs }: BigIntStats): boolean {
  return Math.abs(Date.now() - Number(mtimeNs / 1_000_000n)) < settleMs
}

/** Whether the open file, or what its path names, is another by now. Throws ENOENT if nothing is there. */
function hasChanged(before: BigIntStats, descriptor: number, file: string): boolean {
  const now = [fstatSync(descriptor, { bigint: true }), lstatSync(file, { bigint: true })]
  const fields = ['dev', 'ino', 'size', 'mtimeNs'] as const
  return now.some((stats) => !stats.isFile() || fields.some((field) => stats[field] !== before[field]))
}

/** The first `size` bytes of an open file, or as many as there are. */
function readAll(descriptor: number, size: number): Buffer {
  const content = Buffer.allocUnsafe(size)
  let length = 0
  while (length < size) {
    const read = readSync(descriptor, content, length, size - length, length)
    if (read === 0) break
    length += read
  }
  return content.subarray(0, length)
}

/** A private copy of a file, one read or reflink away from the moment of the check that follows. */
async function spool(file: string, path: string, spoolDir: string): Promise<SpooledContent> {
  const copy = join(spoolDir, `asset-${randomUUID()}`)
  const dispose = () => rm(copy, { force: true })
  try {
    await writeFile(copy, '', { flag: 'wx', mode: 0o600 })
    await copyFile(file, copy, constants.COPYFILE_FICLONE)
    return { file: copy, size: (await lstat(copy)).size, dispose }
  } catch (error) {
    await dispose()
    const ofSource = hasErrno(error, 'EIO') || (hasErrno(error, 'ENOENT') && error.path === file)
    throw ofSource ? error : spoolError(path, spoolDir, error)
  }
}

function spoolError(path: string, spoolDir: string, cause: unknown): RowbackError {
  const problem = hasErrno(cause, 'ENOSPC', 'EDQUOT') ? 'no room left on the disk' : errorText(cause)
  return new RowbackError(
    'target',
    `copy ${shownPath(path)} to ${spoolDir}: ${problem}; nothing was committed`,
    { cause },
  )
}
