/**
 * The file of a lock. It names its owner, who writes to it again and again as a sign of life; the lock of an owner that died is taken
 * over, and never by two.
 */

import { createHash } from 'node:crypto'
import {
  closeSync,
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
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { draftBeside } from '../drafts.ts'
import { hasErrno, noLinkErrnos } from '../errors.ts'
import { onInterrupt } from '../interrupt.ts'
import { isAlive, type LockOwner, ownOwner } from './lock-owner.ts'
import { isShared } from './shared-disk.ts'

/** A lock file without a whole owner in it was written by one that died writing, unless it is younger than this. */
const unfinishedLockMs = 10_000

/** How often an owner gives a sign of life, and after how long without one it is dead, where nothing else is known of it. */
const signOfLifeMs = 15_000
export const deadAfterMs = 5 * 60_000

/** A lock that was taken. */
export interface Lock {
  release(): Promise<void>
}

/** Whoever holds a lock: its text tells owners apart; without an `owner` that text is not whole yet. */
export interface Holder {
  text: string
  owner: LockOwner | undefined
}

/** Takes the lock, or returns its holder if that is alive. */
export async function takeLock(file: string): Promise<Lock | Holder> {
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
