/**
 * The locks of a repository: one backup at a time, and one upkeep. A lock is a file that names its owner, who writes to it
 * again and again as a sign of life; the lock of an owner that died is taken over, and never by two.
 */

import { createHash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fstatSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  write,
  writeSync,
} from 'node:fs'
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { draftBeside, removeDrafts } from '../drafts.ts'
import { errorText, hasErrno, noLinkErrnos, RowbackError } from '../errors.ts'
import { makeFolder } from '../folders.ts'
import { onInterrupt } from '../interrupt.ts'
import { gitDirectory } from './directory.ts'
import { isAlive, isOfAnotherBoot, type LockOwner, ownOwner } from './lock-owner.ts'
import { isShared } from './shared-disk.ts'
import { removeStaleLocks } from './stale-locks.ts'
import { clearWorkDirs } from './work-dir.ts'

/** A lock file without a whole owner in it was written by one that died writing, unless it is younger than this. */
const unfinishedLockMs = 10_000

/** How often an owner gives a sign of life, and after how long without one it is dead, where nothing else is known of it. */
const signOfLifeMs = 15_000
const deadAfterMs = 5 * 60_000

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

/** A lock that was taken. */
interface Lock {
  release(): Promise<void>
}

/** Whoever holds a lock: its text tells owners apart; without an `owner` that text is not whole yet. */
interface Holder {
  text: string
  owner: LockOwner | undefined
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

/** Takes the lock, or returns its holder if that is alive. */
async function takeLock(file: string): Promise<Lock | Holder> {
  const text = JSON.stringify(await ownOwner())
  const lock = createLock(file, text)
  if (lock) return lock
  const holder = await readHolder(file)
  if (!holder) return await takeLock(file)
  return (await isDead(file, holder)) ? await takeOver(file, holder, text) : holder
}

/**
 * Puts a whole lock file in its place at once; undefined where there is one. Like all that makes a file here, it does so in one
 * step for signals, which are heard when it has returned: no draft is left by one, and no lock that is not told to be held.
 */
function createLock(file: string, text: string): Lock | undefined {
  const draft = draftBeside(file, 'new')
  const descriptor = writeOpen(draft, text)
  try {
    linkSync(draft, file)
    return heldLock(file, descriptor, text)
  } catch (error) {
    closeSync(descriptor)
    if (hasErrno(error, 'EEXIST')) return undefined
    if (hasErrno(error, ...noLinkErrnos)) return createUnlinked(file, text)
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

function createUnlinked(file: string, text: string): Lock | undefined {
  try {
    return heldLock(file, writeOpen(file, text), text)
  } catch (error) {
    if (hasErrno(error, 'EEXIST')) return undefined
    throw error
  }
}

/** Replaces the lock file in one step. */
function replaceLock(file: string, text: string): Lock {
  const draft = draftBeside(file, 'new')
  const descriptor = writeOpen(draft, text)
  try {
    renameSync(draft, file)
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
  return heldLock(file, descriptor, text)
}

function writeOpen(file: string, text: string): number {
  const descriptor = openSync(file, 'wx', 0o600)
  try {
    writeSync(descriptor, text, 0)
    return descriptor
  } catch (error) {
    closeSync(descriptor)
    rmSync(file, { force: true })
    throw error
  }
}

/** Gives signs of life until the lock is given back, unless somebody else has it by then. */
function heldLock(file: string, descriptor: number, text: string): Lock {
  let sign: Promise<unknown> = Promise.resolve()
  const timer = setInterval(() => {
    sign = writeAt(descriptor, text, 0).catch(() => {})
  }, signOfLifeMs)
  timer.unref()
  const forget = onInterrupt(() => rmSync(file, { force: true }))
  let isReleased = false
  const release = async (): Promise<void> => {
    if (isReleased) return
    isReleased = true
    clearInterval(timer)
    await sign
    try {
      const [own, found] = [fstatSync(descriptor), statSync(file, { throwIfNoEntry: false })]
      if (found && found.ino === own.ino && found.dev === own.dev) rmSync(file, { force: true })
    } catch {
      // It is taken over when this process is gone; what the run ends with still counts.
    }
    closeSync(descriptor)
    // In one step with the removal: a signal before it must remove the lock, and one behind it might remove that of the next.
    forget()
  }
  return { release }
}

const writeAt = promisify(
  (descriptor: number, text: string, at: number, done: (error: Error | null) => void) => {
    write(descriptor, text, at, done)
  },
)

/**
 * Replaces the lock of a dead holder. A lock that is named after that holder makes sure that only one process does:
 * without it, the slower of two would replace the lock of the faster one.
 */
async function takeOver(file: string, dead: Holder, text: string): Promise<Lock | Holder> {
  const guard = await takeLock(`${file}.${createHash('sha1').update(dead.text).digest('hex').slice(0, 12)}`)
  if (!('release' in guard)) return guard
  try {
    const now = await readHolder(file)
    if (now?.text !== dead.text) return await takeLock(file)
    return replaceLock(file, text)
  } finally {
    await guard.release()
  }
}

async function readHolder(file: string): Promise<Holder | undefined> {
  try {
    const text = await readFile(file, 'utf8')
    return { text, owner: parseOwner(text) }
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined // given back in the meantime
    throw error
  }
}

function parseOwner(text: string): LockOwner | undefined {
  try {
    const owner = JSON.parse(text) as LockOwner
    return Number.isSafeInteger(owner.pid) && owner.pid > 0 ? owner : undefined
  } catch {
    return undefined
  }
}

async function isDead(file: string, { owner }: Holder): Promise<boolean> {
  const alive = owner && (await isAlive(owner, { isShared: await isShared(dirname(file)) }))
  if (alive !== undefined) return !alive
  return silenceMs(file) > (owner ? deadAfterMs : unfinishedLockMs)
}

/**
 * How long ago a lock was written to, by the clock of its file system, which may be another machine's. That clock may
 * have been set back since: a time in the future is as good as one in the past.
 */
function silenceMs(file: string): number {
  const probe = draftBeside(file, 'new')
  try {
    closeSync(writeOpen(probe, 'x'))
    const [now, then] = [statSync(probe), statSync(file, { throwIfNoEntry: false })]
    return then ? Math.abs(now.mtimeMs - then.mtimeMs) : 0
  } finally {
    rmSync(probe, { force: true })
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
