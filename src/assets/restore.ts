/**
 * Makes the assets of a manifest below a directory. Files and directories come first, by exclusive creation and
 * closed to others; symlinks come last, so that nothing is ever written through one.
 */

import { createHash } from 'node:crypto'
import { constants, fchmodSync, fstatSync, fsync, futimesSync, readSync } from 'node:fs'
import { type FileHandle, lstat, mkdir, mkdtemp, open, rmdir, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { promisify } from 'node:util'
import { errorText, hasErrno, RowbackError } from '../errors.ts'
import type { AssetEntry, FileEntry } from './manifest.ts'
import { fileAt, shownPath, textBytes } from './paths.ts'
import { planAssets } from './plan.ts'

/** Writes the content of a file to an open, empty one, and does not close it. */
export type CopyContent = (entry: FileEntry, handle: FileHandle) => Promise<void>

/**
 * Restores assets below `root`, a directory that others cannot write to; directories that are there already are
 * used, and those of the paths `others` get their modes, too. `copy` is called in the order of `entries`, for several small files at a time, and what it wrote is checked
 * against size and sha256. Modes are exact but for setuid, setgid and sticky, which no manifest holds; times of files are
 * cut to microseconds, of directories and symlinks not kept; all is fsynced.
 *
 * Throws a `dump` error for entries that `planAssets` refuses and for a content that is not the entry's, a `target`
 * error where the file system has no room or no way to hold an asset. The caller then removes what was written.
 */
export async function restoreAssets(
  root: string,
  entries: readonly AssetEntry[],
  copy: CopyContent,
  others: readonly string[] = [],
): Promise<void> {
  const plan = planAssets(entries, others)
  if (plan.collision !== undefined) await refuseFoldedNames(root, plan.collision)
  for (const { path } of plan.directories) await makeDirectory(root, path)
  for (const batch of batches(plan.files)) await restoreFiles(root, batch, copy)
  for (const { path, target } of plan.symlinks)
    await attempt(path, () => symlink(textBytes(target), fileAt(root, path)))
  await finishDirectories(root, plan.directories)
}

/** How many files are synced at once: the disk then does it with far fewer writes (measured: 8 times as fast). */
const batchFiles = 16

function* batches<T>(items: readonly T[]): Generator<T[]> {
  for (let start = 0; start < items.length; start += batchFiles) yield items.slice(start, start + batchFiles)
}

/** Files of one batch up to this size are copied at the same time, larger ones one after the other. */
const smallBytes = 2 ** 16

/** Settles all, then throws the first error: nothing may still be at work when the caller cleans up. */
async function all(work: Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason
}

async function makeDirectory(root: string, path: string): Promise<void> {
  await attempt(path, async () => {
    try {
      await mkdir(fileAt(root, path), { mode: 0o700 })
    } catch (error) {
      const isThere = hasErrno(error, 'EEXIST') && (await lstat(fileAt(root, path))).isDirectory()
      if (!isThere) throw error
    }
  })
}

async function restoreFiles(root: string, entries: readonly FileEntry[], copy: CopyContent): Promise<void> {
  const written: { entry: FileEntry; handle: FileHandle }[] = []
  try {
    for (const entry of entries) {
      await attempt(entry.path, async () => {
        const handle = await open(fileAt(root, entry.path), 'wx+', 0o600)
        written.push({ entry, handle })
      })
    }
    const copies: Promise<void>[] = []
    for (const { entry, handle } of written) {
      copies.push(attempt(entry.path, () => copy(entry, handle)))
      if (entry.size > smallBytes) await all(copies)
    }
    await all(copies)
    await all(written.map(({ entry, handle }) => attempt(entry.path, () => finishFile(entry, handle))))
  } finally {
    await all(written.map(({ handle }) => handle.close()))
  }
}

/**
 * Checks the content of a file, then sets its mode and time, then makes it durable. Synchronous but for that, as in
 * scan-folder.ts: of 100,000 files the promises took two thirds of a restore.
 */
async function finishFile(entry: FileEntry, { fd }: FileHandle): Promise<void> {
  const { size } = fstatSync(fd)
  if (size !== entry.size)
    throw contentError(entry, `it has ${size} bytes where the manifest says ${entry.size}`)
  if ((await sha256(fd)) !== entry.sha256) throw contentError(entry, 'its sha256 is not that of the manifest')
  fchmodSync(fd, entry.mode & 0o777)
  futimesSync(fd, new Date(), fileTime(entry.mtimeNs))
  await sync(fd)
}

const sync = promisify(fsync)

const piece = Buffer.allocUnsafeSlow(2 ** 18)

async function sha256(fd: number): Promise<string> {
  const hash = createHash('sha256')
  for (let at = 0, read = piece.length; read > 0; at += read) {
    read = readSync(fd, piece, 0, piece.length, at)
    hash.update(piece.subarray(0, read))
    // A large file leaves others their turn.
    if (read === piece.length) await setImmediate()
  }
  return hash.digest('hex')
}

/**
 * The time as `utimes` takes it. libuv cuts seconds to whole microseconds: half of one more keeps the rounding of
 * the double from reaching the next lower (until 2106, when doubles get coarser). Node.js takes a time before 1970
 * as a Date only, in milliseconds.
 */
function fileTime(ns: bigint): number | Date {
  if (ns < 0n) return new Date(Math.floor(Number(ns) / 1e6))
  return (Number(ns / 1000n) + 0.5) / 1e6
}

/** Sets the final modes and syncs. A directory that its owner may not change comes behind all that is in it. */
async function finishDirectories(
  root: string,
  directories: readonly { path: string; mode: number }[],
): Promise<void> {
  const isOpen = ({ mode }: { mode: number }) => (mode & 0o700) === 0o700
  for (const batch of batches(directories.filter(isOpen))) {
    await all(batch.map(({ path, mode }) => finishDirectory(root, path, mode)))
  }
  const closed = directories.filter((directory) => !isOpen(directory))
  for (const { path, mode } of closed.reverse()) await finishDirectory(root, path, mode)
  await finishDirectory(root, '', undefined)
}

async function finishDirectory(root: string, path: string, mode: number | undefined): Promise<void> {
  await attempt(path, async () => {
    const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
    const handle = await open(fileAt(root, path), path === '' ? constants.O_RDONLY : flags)
    try {
      if (mode !== undefined) await handle.chmod(mode & 0o777)
      await handle.sync()
    } finally {
      await handle.close()
    }
  })
}

/** Throws a `target` error where the file system of `root` takes the two paths for one. */
export async function refuseFoldedNames(root: string, [one, other]: [string, string]): Promise<void> {
  if (!(await foldsCase(root))) return
  throw new RowbackError(
    'target',
    `restore ${shownPath(other)}: the file system of ${root} takes it for ${shownPath(one)}; nothing was written`,
    { hint: 'restore to a file system that tells upper from lower case' },
  )
}

/** Whether the file system finds a name in another case. */
async function foldsCase(root: string): Promise<boolean> {
  const probe = await attempt('', () => mkdtemp(join(root, '.rowback-case-')))
  try {
    return await lstat(join(dirname(probe), basename(probe).toUpperCase())).then(
      () => true,
      () => false,
    )
  } finally {
    await rmdir(probe)
  }
}

function contentError({ path }: FileEntry, problem: string): RowbackError {
  return new RowbackError('dump', `restore ${shownPath(path)}: ${problem}`)
}

/** The result of work on a path of the target, an error of the system as Rowback's. */
async function attempt<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Error) || !('syscall' in error)) throw error
    const problem = hasErrno(error, 'ENOSPC', 'EDQUOT')
      ? 'no room left on the disk'
      : hasErrno(error, 'EEXIST')
        ? 'something else has its name'
        : errorText(error)
    throw new RowbackError('target', `restore ${shownPath(path) || '.'}: ${problem}`, { cause: error })
  }
}
