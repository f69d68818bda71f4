/**
 * Removes the lock files that killed git processes have left (gitrepository-layout(5), git-gc(1)). They name no owner, so the
 * processes of this machine are asked: whoever may be at work in the repository keeps all of them.
 */

import { readdir, readFile, readlink, realpath, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join, sep } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { hasErrno } from '../errors.ts'
import { isShared } from './shared-disk.ts'

/** So long a program that is not git's own may hold a lock without its file being open. */
const settleMs = 2_000

/** Where processes cannot be seen, or the repository may be in use from another machine: longer than a git holds a lock. */
const oldMs = 3_600_000

/** Removes what is stale. For the holder of the repository's lock, and before a push to a directory of this machine. */
export async function removeStaleLocks(dir: string): Promise<void> {
  const gitDir = await realpath(dir)
  const found = await lockFiles(gitDir)
  if (found.length === 0) return
  if (await isShared(gitDir)) return removeOlder(found, oldMs)
  const workers = await workersIn(gitDir, found)
  if (workers === 'seen') return
  if (workers === 'unseen') return removeOlder(found, oldMs)
  await removeOlder(found, settleMs)
  const young = await lockFiles(gitDir)
  if (young.length === 0) return
  await sleep(settleMs)
  if ((await workersIn(gitDir, young)) === 'none') await removeOlder(young, 0)
}

interface LockFile {
  path: string
  identity: string
  /** A clock that was set back gives a lock of the future: that is as old as one of the past. */
  ageMs: number
}

async function lockFiles(gitDir: string): Promise<LockFile[]> {
  const folders = ['', 'objects', join('objects', 'info'), join('objects', 'pack')]
  const near = await Promise.all(folders.map((folder) => namesIn(join(gitDir, folder))))
  const refs = await readdir(join(gitDir, 'refs'), { recursive: true }).catch(() => [])
  const paths = [
    ...near.flatMap((names, index) => names.map((name) => join(folders[index] as string, name))),
    ...refs.map((name) => join('refs', name)),
  ].filter((path) => path.endsWith('.lock'))
  const files = await Promise.all(paths.map((path) => lockFile(join(gitDir, path))))
  const gc = await staleGc(join(gitDir, 'gc.pid'))
  return [...files, gc].filter((file) => file !== undefined)
}

async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => [])
}

async function lockFile(path: string): Promise<LockFile | undefined> {
  try {
    const stats = await stat(path)
    if (!stats.isFile()) return undefined
    const { dev, ino, mtimeMs } = stats
    return { path, identity: `${dev}:${ino}:${mtimeMs}`, ageMs: Math.abs(Date.now() - mtimeMs) }
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

/** `gc.pid` names its owner: process id and host. */
async function staleGc(path: string): Promise<LockFile | undefined> {
  const [pid, host] = (await readFile(path, 'utf8').catch(() => '')).trim().split(' ')
  if (host !== hostname() || !/^\d+$/.test(pid ?? '')) return undefined
  try {
    process.kill(Number(pid), 0)
    return undefined
  } catch (error) {
    return hasErrno(error, 'ESRCH') ? lockFile(path) : undefined
  }
}

/** A lock of the same name that somebody has taken since stays. */
async function removeOlder(locks: readonly LockFile[], limitMs: number): Promise<void> {
  for (const { path, identity, ageMs } of locks) {
    if (ageMs >= limitMs && (await lockFile(path))?.identity === identity) await rm(path, { force: true })
  }
}

/**
 * Whether a process has one of the locks open, or is a git that is at work in the repository; `unseen` where a git of another
 * user may be.
 */
async function workersIn(gitDir: string, locks: readonly LockFile[]): Promise<'none' | 'unseen' | 'seen'> {
  const paths = new Set(locks.map(({ path }) => path))
  const pids = (await namesIn('/proc')).filter((name) => /^\d+$/.test(name))
  let isUnseen = false
  for (const pid of pids) {
    if (Number(pid) === process.pid) continue
    if (await holdsOpen(pid, paths)) return 'seen'
    if (!(await isGit(pid))) continue
    const isThere = await isIn(pid, gitDir)
    if (isThere) return 'seen'
    isUnseen ||= isThere === undefined
  }
  return isUnseen ? 'unseen' : 'none'
}

async function holdsOpen(pid: string, paths: ReadonlySet<string>): Promise<boolean> {
  const folder = `/proc/${pid}/fd`
  const targets = (await namesIn(folder)).map((name) => readlink(join(folder, name)).catch(() => ''))
  return (await Promise.all(targets)).some((target) => paths.has(target))
}

/** A `git cat-file` only reads: each Rowback that is looking at the repository has one. A daemon lets others work. */
async function isGit(pid: string): Promise<boolean> {
  const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
  const [program = ''] = words
  if (!/(?:^|\/)git(?:-[a-z-]+)?$/.test(program) || words.includes('cat-file')) return false
  const verb = words.slice(1).find((word) => !word.startsWith('-')) ?? ''
  return !/daemon$/.test(verb) && !/git-daemon$/.test(program)
}

/** Whether a process works in a repository; undefined for one that this user may not look into. */
async function isIn(pid: string, gitDir: string): Promise<boolean | undefined> {
  try {
    const folder = await readlink(`/proc/${pid}/cwd`)
    const top = gitDir.endsWith(`${sep}.git`) ? gitDir.slice(0, -5) : gitDir
    return folder === top || folder.startsWith(top + sep)
  } catch (error) {
    return hasErrno(error, 'EACCES', 'EPERM') ? undefined : false
  }
}
