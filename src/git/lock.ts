import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { removeDrafts } from '../drafts.ts'
import { errorText, hasErrno, RowbackError } from '../errors.ts'
import { makeFolder } from '../folders.ts'
import { gitDirectory } from './directory.ts'
import { deadAfterMs, type Holder, type Lock, takeLock } from './lock-file.ts'
import { isOfAnotherBoot } from './lock-owner.ts'
import { removeStaleLocks } from './stale-locks.ts'
import { clearWorkDirs } from './work-dir.ts'

/** How often a lock is asked for while it is waited for. */
const pollMs = 100

export interface LockOptions {
  /** How long the lock of another backup is waited for; it is not without it. */
  waitMs?: number | undefined
}

/**
 * Takes the lock of the repository `dir`, removes what dead runs have left in it, locks of git's too, and returns the
 * function that gives the lock back. Throws RowbackError('repository') if another process has it for longer than is
 * waited, or it cannot be written.
 */
export async function lockRepository(
  dir: string,
  { waitMs = 0 }: LockOptions = {},
): Promise<() => Promise<void>> {
  const gitDir = await gitDirectory(dir)
  const unlock = await lockGitDir(gitDir, dir, waitMs)
  try {
    // A first backup that failed may have taken it away while it was waited for.
    await gitDirectory(dir)
    await clearWorkDirs(gitDir)
    removeDrafts(join(gitDir, 'config'), 'new')
    await removeStaleLocks(gitDir)
    return unlock
  } catch (error) {
    await unlock()
    throw lockError(dir, error)
  }
}

/** Takes the same lock of an absolute `dir` that is no repository yet. Throws as `lockRepository` does. */
export function lockNewRepository(
  dir: string,
  { waitMs = 0 }: LockOptions = {},
): Promise<() => Promise<void>> {
  return lockGitDir(dir, dir, waitMs)
}

async function lockGitDir(gitDir: string, dir: string, waitMs: number): Promise<() => Promise<void>> {
  const file = join(gitDir, 'rowback', 'lock')
  try {
    const lock = await waitFor(file, waitMs)
    if (!('release' in lock)) throw await held(dir, file, lock, waitMs)
    return lock.release
  } catch (error) {
    throw lockError(dir, error)
  }
}

function lockError(dir: string, error: unknown): RowbackError {
  if (error instanceof RowbackError) return error
  return new RowbackError('repository', `lock ${dir}: ${errorText(error)}`, { cause: error })
}

/**
 * Takes the lock for the upkeep of a git directory, removes what a dead one has left, and returns the function that
 * gives the lock back; undefined if another process has it.
 */
export async function lockUpkeep(gitDir: string): Promise<(() => Promise<void>) | undefined> {
  const lock = await takeLock(join(gitDir, 'rowback', 'upkeep.lock'))
  if (!('release' in lock)) return undefined
  await clearWorkDirs(gitDir, 'upkeep')
  return lock.release
}

/** Removes what an upkeep that was killed has left, its lock too, where nothing is due that would. */
export async function clearUpkeep(gitDir: string): Promise<void> {
  if (!existsSync(join(gitDir, 'rowback', 'upkeep.lock'))) return
  const unlock = await lockUpkeep(gitDir)
  await unlock?.()
}

/** Asks for the lock until it is there or the time is over. */
async function waitFor(file: string, waitMs: number): Promise<Lock | Holder> {
  const givesUpAt = performance.now() + waitMs
  for (;;) {
    const lock = await takeLockIn(file)
    if ('release' in lock || performance.now() >= givesUpAt) return lock
    await sleep(Math.min(pollMs, waitMs))
  }
}

/** The same in a folder that may not be there yet, or goes with a repository that another process takes away. */
async function takeLockIn(file: string): Promise<Lock | Holder> {
  for (let tries = 3; ; tries--) {
    await makeFolder(dirname(file), 0o700)
    try {
      return await takeLock(file)
    } catch (error) {
      if (tries === 0 || !hasErrno(error, 'ENOENT')) throw error
    }
  }
}

async function held(dir: string, file: string, { owner }: Holder, waitMs: number): Promise<RowbackError> {
  const waited = waitMs > 0 ? `, and was waited for ${waitMs / 1000} s` : ''
  if (!owner)
    return new RowbackError('repository', `lock ${dir}: another backup is just starting${waited}`, {
      hint: 'run the backup again',
    })
  const isHere = owner.host === hostname() && !(await isOfAnotherBoot(owner))
  const where = isHere ? '' : ` on ${owner.host}`
  const minutes = deadAfterMs / 60_000
  return new RowbackError(
    'repository',
    `lock ${dir}: a backup by process ${owner.pid}${where} is running since ${owner.since}${waited}`,
    {
      hint: isHere
        ? `ps -p ${owner.pid}`
        : `if it has died there, run this again ${minutes} minutes later: ${file} is taken over then`,
    },
  )
}
