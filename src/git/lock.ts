/**
 * The locks of a repository: one backup at a time, and one upkeep. A lock is a file that names its owner; the lock of an
 * owner that died is taken over, and never by two.
 */

import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { errorText, hasErrno, RowbackError } from '../errors.ts'
import { gitDirectory } from './directory.ts'
import { isAlive, type LockOwner, ownOwner } from './lock-owner.ts'
import { clearWorkDirs } from './work-dir.ts'

/** A lock file without a whole owner in it was written by one that died writing, unless it is younger than this. */
const unfinishedLockMs = 10_000

/**
 * Takes the lock of the repository `dir`, removes what dead runs have left in it, and returns the function that
 * gives the lock back. Throws RowbackError('repository') if another process has it, or it cannot be written.
 */
export async function lockRepository(dir: string): Promise<() => Promise<void>> {
  const gitDir = await gitDirectory(dir)
  const file = join(gitDir, 'rowback', 'lock')
  try {
    await mkdir(join(gitDir, 'rowback'), { recursive: true, mode: 0o700 })
    const holder = await takeLock(file)
    if (holder) throw held(dir, file, holder)
    await clearWorkDirs(gitDir)
  } catch (error) {
    if (error instanceof RowbackError) throw error
    throw new RowbackError('repository', `lock ${dir}: ${errorText(error)}`, { cause: error })
  }
  return () => rm(file, { force: true })
}

/** A lock for upkeep is taken over when it is so old: its owner may have died on a host that is gone for ever. */
const longestUpkeepMs = 24 * 3_600_000

/**
 * Takes the lock for the upkeep of a git directory, removes what a dead one has left, and returns the function that
 * gives the lock back; undefined if another process has it.
 */
export async function lockUpkeep(gitDir: string): Promise<(() => Promise<void>) | undefined> {
  const file = join(gitDir, 'rowback', 'upkeep.lock')
  if (await takeLock(file, longestUpkeepMs)) return undefined
  await clearWorkDirs(gitDir, 'upkeep')
  return () => rm(file, { force: true })
}

/** Whoever holds a lock: its text tells owners apart; without an `owner` that text is not whole yet. */
interface Holder {
  text: string
  owner: LockOwner | undefined
}

/** Creates the lock file; returns its holder instead if that is alive and has had it for no longer than `longestMs`. */
async function takeLock(file: string, longestMs = Number.POSITIVE_INFINITY): Promise<Holder | undefined> {
  const text = JSON.stringify(await ownOwner())
  try {
    await writeFile(file, text, { flag: 'wx', mode: 0o600 })
    return undefined
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error
  }
  const holder = await readHolder(file)
  if (!holder) return await takeLock(file, longestMs)
  return (await isDead(file, holder, longestMs)) ? await takeOver(file, holder, text) : holder
}

/**
 * Replaces the lock of a dead holder. A lock that is named after that holder makes sure that only one process does:
 * without it, the slower of two would replace the lock of the faster one.
 */
async function takeOver(file: string, dead: Holder, text: string): Promise<Holder | undefined> {
  const guard = `${file}.${createHash('sha1').update(dead.text).digest('hex').slice(0, 12)}`
  const rival = await takeLock(guard)
  if (rival) return rival
  try {
    const now = await readHolder(file)
    if (now?.text !== dead.text) return await takeLock(file)
    const draft = `${file}.new-${randomBytes(4).toString('hex')}`
    await writeFile(draft, text, { flag: 'wx', mode: 0o600 })
    await rename(draft, file)
    return undefined
  } finally {
    await rm(guard, { force: true })
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

async function isDead(file: string, { owner }: Holder, longestMs: number): Promise<boolean> {
  if (owner) return Date.now() - Date.parse(owner.since) > longestMs || !(await isAlive(owner))
  const { mtimeMs } = await stat(file)
  return Date.now() - mtimeMs > unfinishedLockMs
}

function held(dir: string, file: string, { owner }: Holder): RowbackError {
  if (!owner)
    return new RowbackError('repository', `lock ${dir}: another backup is just starting`, {
      hint: `cat ${file}`,
    })
  const isHere = owner.host === hostname()
  const where = isHere ? '' : ` on ${owner.host}`
  return new RowbackError(
    'repository',
    `lock ${dir}: a backup by process ${owner.pid}${where} is running since ${owner.since}`,
    {
      hint: isHere ? `ps -p ${owner.pid}` : `if none is running on ${owner.host} any more: rm ${file}`,
    },
  )
}
