/** Where a restore writes to: a draft beside the target, which takes its place in the end or leaves nothing behind. */

import { existsSync, rmSync } from 'node:fs'
import { chmod, chown, lstat, readdir, rename, rmdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { draftBeside } from './drafts.ts'
import { syncDirectory } from './durable.ts'
import { errorText, hasErrno, RowbackError } from './errors.ts'
import { makeFolders, missingParents, removeEmptyFolders } from './folders.ts'
import { onInterrupt } from './interrupt.ts'
import { mountPoints } from './mount-points.ts'
import { shellWord } from './shell.ts'
import { writeFault } from './sqlite/disk-fault.ts'

export async function refuseOccupied(target: string): Promise<void> {
  const found = await entriesOf(target)
  if (found !== undefined && (await isFixed(target)))
    throw new RowbackError(
      'target',
      `restore to ${target}: it is a mount point or a symlink, which cannot be replaced`,
      {
        hint: `--to ${shellWord(join(target, 'restored'))}`,
      },
    )
  if (found === undefined || found.length === 0) return
  throw new RowbackError('target', `restore to ${target}: it is not empty; it was left untouched`, {
    hint: 'name a directory that is missing or empty',
  })
}

/** Whether a directory is one in whose place nothing can be renamed. */
export async function isFixed(path: string): Promise<boolean> {
  return mountPoints().has(path) || (await lstat(path)).isSymbolicLink()
}

async function entriesOf(target: string): Promise<string[] | undefined> {
  try {
    return await readdir(target)
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined
    throw targetError(target, error)
  }
}

/** Puts a draft in the place of a target that is missing or empty; of one that is there it has mode and owner then. */
export async function takePlace(draft: string, target: string): Promise<void> {
  const found = await stat(target).catch((error: unknown) => {
    if (!hasErrno(error, 'ENOENT')) throw error
  })
  if (found) {
    await chown(draft, found.uid, found.gid).catch((error: unknown) => {
      if (!hasErrno(error, 'EPERM', 'EINVAL', 'ENOSYS', 'ENOTSUP')) throw error
    })
    await rmdir(target)
  }
  // A new one has what a directory inherits there, as that a group is.
  const inherited = (await stat(draft)).mode & 0o7000
  await chmod(draft, found ? found.mode & 0o7777 : inherited | (0o777 & ~process.umask()))
  await rename(draft, target)
}

/** A -wal or -journal of another database would be taken for the new one's. */
export async function refuseExisting(output: string): Promise<void> {
  const found = ['', '-wal', '-shm', '-journal']
    .map((ending) => output + ending)
    .find((path) => existsSync(path))
  if (found === undefined) return
  throw new RowbackError('target', `restore to ${output}: ${found} exists; it was left untouched`, {
    hint: 'name a file that does not exist',
  })
}

/** Runs `make` with a draft beside the target and leaves nothing of the draft behind, nor folders for nothing. */
export async function replacing(
  target: string,
  rev: string,
  make: (draft: string) => Promise<void>,
): Promise<void> {
  const draft = draftBeside(target, 'rowback')
  const parents = missingParents(target)
  const remove = (): void => {
    rmSync(draft, { recursive: true, force: true })
    removeEmptyFolders(parents)
  }
  const forget = onInterrupt(remove)
  try {
    await makeOrRemove({ target, rev, draft, remove }, make)
    await complete(target, rev, draft)
  } finally {
    forget()
  }
}

async function makeOrRemove(
  { target, rev, draft, remove }: { target: string; rev: string; draft: string; remove: () => void },
  make: (draft: string) => Promise<void>,
): Promise<void> {
  try {
    await makeFolders(dirname(target))
    await make(draft)
  } catch (error) {
    const left = isDone(remove)
      ? nothingLeft
      : `${draft} may be left, and goes with the next restore to there`
    if (error instanceof RowbackError && error.code !== 'target') throw error
    throw targetError(target, error, { rev, left })
  }
}

/** What cannot be removed must not hide why that is to be. */
function isDone(remove: () => void): boolean {
  try {
    remove()
    return true
  } catch {
    return false
  }
}

/** Removes what is left of the draft of a file that has its place, and makes the names durable. */
async function complete(target: string, rev: string, draft: string): Promise<void> {
  try {
    rmSync(draft, { recursive: true, force: true })
    await syncDirectory(dirname(target))
  } catch (error) {
    throw new RowbackError('target', `restore ${rev} to ${target}: it is complete, but ${errorText(error)}`, {
      cause: error,
    })
  }
}

const nothingLeft = 'nothing was left there'

function targetError(
  target: string,
  error: unknown,
  { rev, left = nothingLeft }: { rev?: string; left?: string } = {},
): unknown {
  const verb = rev === undefined ? 'restore' : `restore ${rev}`
  const known = error instanceof RowbackError ? error : undefined
  const say = (text: string): RowbackError =>
    new RowbackError('target', `${verb} to ${target}: ${text}; ${left}`, {
      hint: known?.hint,
      cause: error,
    })
  const fault = writeFault(error)
  if (fault !== undefined) return say(fault)
  if (known) return say(known.message.replace(/^restore /, ''))
  if (hasErrno(error, 'EROFS', 'EACCES', 'EPERM', 'SQLITE_CANTOPEN', 'SQLITE_READONLY'))
    return say('it cannot be written')
  if (hasErrno(error, 'EEXIST', 'ENOTEMPTY', 'ENOTDIR')) return say(`it is occupied: ${errorText(error)}`)
  return error instanceof Error && 'syscall' in error ? say(errorText(error)) : error
}
