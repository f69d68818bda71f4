/** Reads the content of an asset, as it was at one moment if it ever holds still, or says why that is not possible. */

import { randomUUID } from 'node:crypto'
import {
  type BigIntStats,
  closeSync,
  constants,
  createReadStream,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
} from 'node:fs'
import { copyFile, lstat, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { errorText, hasErrno, RowbackError } from '../errors.ts'
import { type Digests, digests } from './digests.ts'
import type { DirectoryEntry, FileEntry, SymlinkEntry, UnreadableEntry } from './manifest.ts'
import { fileAt, shownPath } from './paths.ts'
import type { AssetFile } from './scan.ts'
import { systemProblem } from './source-error.ts'
import { copyWithHoles, isSparse } from './sparse.ts'

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
  /** Undefined where only the entry was asked for. */
  content: AssetContent | undefined
}

/** Why a file that is there cannot be read. */
export interface UnreadableAsset {
  problem: string
}

interface ReadOptions {
  /** Where contents over 8 MiB are copied to. */
  spoolDir: string
  /** Whether the content itself is wanted. */
  keepsContent: boolean
}

/**
 * Reads a file below `root`, a real path; undefined if it is gone. Contents over 8 MiB are copied into the spool, as a reflink
 * where the file system can, or with the holes of a sparse file. A file that changes meanwhile is read again, three
 * times; one that still does is returned as it was found, with `unstable` in its entry. Throws a `target` error if the
 * spool has no room.
 */
export async function readAsset(
  root: string,
  { path }: AssetFile,
  options: ReadOptions,
): Promise<ReadAsset | UnreadableAsset | undefined> {
  for (const pauseMs of [0, ...pausesMs.slice(0, -1)]) {
    if (pauseMs > 0) await setTimeout(pauseMs)
    const result = await readOnce(root, path, options, false)
    if (result !== 'changed') return result
  }
  await setTimeout(pausesMs.at(-1))
  const result = await readOnce(root, path, options, true)
  return result === 'changed' ? { problem: 'it is no file any more' } : result
}

/** The manifest entry of an asset that has no content. */
export function entryWithoutContent({
  path,
  kind,
  mode,
  target,
}: AssetFile): SymlinkEntry | DirectoryEntry | UnreadableEntry {
  if (kind === 'symlink' && target !== undefined) return { kind, path, target }
  if (kind === 'directory') return { kind, path, mode }
  if (kind === 'unreadable') return { kind, path }
  throw new RowbackError('fault', `list ${shownPath(path)}: a ${kind} has a content`)
}

/** One attempt. System calls are synchronous but for large files: scan-folder.ts says what that saves. */
async function readOnce(
  root: string,
  path: string,
  options: ReadOptions,
  isLast: boolean,
): Promise<ReadAsset | UnreadableAsset | undefined | 'changed'> {
  const file = fileAt(root, path)
  let descriptor: number | undefined
  try {
    await settle(file)
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    if (isElsewhere(descriptor, file)) return 'changed'
    return await readOpen(descriptor, file, path, options, isLast)
  } catch (error) {
    if (error instanceof RowbackError) throw error
    if (hasErrno(error, 'ENOENT', 'ENOTDIR') && isPath(error.path, file)) return undefined
    // ELOOP: it is a symlink by now; ENXIO: a socket.
    if (hasErrno(error, 'ELOOP', 'ENXIO')) return 'changed'
    return { problem: systemProblem(error) }
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

async function readOpen(
  descriptor: number,
  file: string | Buffer,
  path: string,
  { spoolDir, keepsContent }: ReadOptions,
  isLast: boolean,
): Promise<ReadAsset | 'changed'> {
  const stats = fstatSync(descriptor, { bigint: true })
  if (!stats.isFile() || (isFresh(stats) && !isLast)) return 'changed'
  const named = isLast ? undefined : file
  const content = keepsContent ? await readContent(descriptor, stats, named, { path, spoolDir }) : undefined
  let result: ReadAsset | 'changed' = 'changed'
  try {
    const read = content === undefined ? await digestOpen(descriptor, stats) : await digestContent(content)
    const isUnstable = BigInt(read.size) !== stats.size || hasChanged(stats, descriptor, named)
    if (isUnstable && !isLast) return result
    const { size, sha256, oid } = read
    const mode = Number(stats.mode) & 0o777
    const entry = { kind: 'file', path, size, mode, mtimeNs: stats.mtimeNs, sha256 } as const
    result = { entry: isUnstable ? { ...entry, unstable: true } : entry, oid, content }
    return result
  } finally {
    if (result === 'changed' && content !== undefined && !Buffer.isBuffer(content)) await content.dispose()
  }
}

interface Digested extends Digests {
  size: number
}

async function digestContent(content: AssetContent): Promise<Digested> {
  if (Buffer.isBuffer(content)) return { size: content.length, ...(await digests(content.length, [content])) }
  const { file, size } = content
  return { size, ...(await digests(size, createReadStream(file))) }
}

/** The digests of as much of an open file as its state says; `size` is how much there was. */
async function digestOpen(descriptor: number, stats: BigIntStats): Promise<Digested> {
  const expected = Number(stats.size)
  let size = 0
  async function* pieces(): AsyncGenerator<Buffer> {
    if (expected === 0) return
    const options = { fd: descriptor, autoClose: false, start: 0, end: expected - 1 }
    for await (const piece of createReadStream('', options)) {
      size += (piece as Buffer).length
      yield piece as Buffer
    }
  }
  return { ...(await digests(expected, pieces())), size }
}

/** Longer than any tick of a kernel's clock, which is up to 10 ms. */
const settleMs = 20

/** Waits a moment if a file was written just now. */
async function settle(file: string | Buffer): Promise<void> {
  if (isFresh(lstatSync(file, { bigint: true }))) await setTimeout(settleMs)
}

/**
 * Whether a file was written just now: another write within the same tick of the clock would leave its modification
 * time as it is. One that is written all the time stays fresh, and is read nevertheless in the end.
 */
function isFresh({ mtimeNs }: BigIntStats): boolean {
  return Math.abs(Date.now() - Number(mtimeNs / 1_000_000n)) < settleMs
}

/** Whether the open file, or what its path names if one is given, is another by now. Throws ENOENT if nothing is there. */
function hasChanged(before: BigIntStats, descriptor: number, file: string | Buffer | undefined): boolean {
  const now = [fstatSync(descriptor, { bigint: true })]
  if (file !== undefined) now.push(lstatSync(file, { bigint: true }))
  const fields = ['dev', 'ino', 'size', 'mtimeNs'] as const
  return now.some((stats) => !stats.isFile() || fields.some((field) => stats[field] !== before[field]))
}

/**
 * Whether an open file does not lie at its path: O_NOFOLLOW looks at the last name only, and a symlink may have taken the place of
 * a directory since the scan. Not to be told where the system has no such list (proc(5)).
 */
function isElsewhere(descriptor: number, file: string | Buffer): boolean {
  const path = openPath(descriptor)
  if (path === undefined) return false
  // Some file systems tell a name in another case than the one it was asked by.
  const [found, asked] = [readlinkSync(path, { encoding: 'buffer' }), Buffer.from(file)].map((bytes) =>
    bytes.toString('latin1').replace(/^\/+/, '/').toLowerCase(),
  )
  // One that was replaced since is what it was when it was opened.
  return found !== asked && found !== `${asked} (deleted)`
}

/** A path that leads to an open file, whatever its names lead to by now. */
function openPath(descriptor: number): string | undefined {
  return hasOpenPaths ? `/proc/self/fd/${descriptor}` : undefined
}

const hasOpenPaths = process.platform === 'linux' && existsSync('/proc/self/fd')

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

/**
 * A content in memory, or as a private copy one read or reflink away from the moment of the check that follows. Without
 * the name of the file it is only read through the descriptor: a symlink may have taken its place.
 */
async function readContent(
  descriptor: number,
  stats: BigIntStats,
  file: string | Buffer | undefined,
  { path, spoolDir }: { path: string; spoolDir: string },
): Promise<AssetContent> {
  if (stats.size <= memoryBytes) return readAll(descriptor, Number(stats.size))
  const copy = join(spoolDir, `asset-${randomUUID()}`)
  const dispose = () => rm(copy, { force: true })
  try {
    await writeFile(copy, '', { flag: 'wx', mode: 0o600 })
    if (file === undefined || isSparse(stats)) await copyWithHoles(descriptor, Number(stats.size), copy)
    else await copyFile(openPath(descriptor) ?? file, copy, constants.COPYFILE_FICLONE)
    return { file: copy, size: (await lstat(copy)).size, dispose }
  } catch (error) {
    await dispose()
    const ofSource = hasErrno(error, 'EIO') || (hasErrno(error, 'ENOENT') && isPath(error.path, file))
    throw ofSource ? error : spoolError(path, spoolDir, error)
  }
}

/** Node.js names the file of an error by a text, whatever it was called with. */
function isPath(found: string | undefined, file: string | Buffer | undefined): boolean {
  return file !== undefined && found === file.toString()
}

function spoolError(path: string, spoolDir: string, cause: unknown): RowbackError {
  const problem = hasErrno(cause, 'ENOSPC', 'EDQUOT') ? 'no room left on the disk' : errorText(cause)
  return new RowbackError(
    'target',
    `copy ${shownPath(path)} to ${spoolDir}: ${problem}; nothing was committed`,
    { cause },
  )
}
