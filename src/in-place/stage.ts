/** Makes what a restore in place puts into a source, in a folder of its own on the same file system. */

import type { Stats } from 'node:fs'
import { access, chmod, constants, lchown, lstat, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type AssetEntry, fileEntries } from '../assets/manifest.ts'
import { bytesText, fileAt, shownPath } from '../assets/paths.ts'
import { restoreAssets } from '../assets/restore.ts'
import type { CommitTree } from '../commit-tree.ts'
import { syncDirectory, syncFile } from '../durable.ts'
import { hasErrno, RowbackError } from '../errors.ts'
import { makeFolders } from '../folders.ts'
import type { Store } from '../git/store.ts'
import { mountPoints } from '../mount-points.ts'
import type { Phases } from '../progress.ts'
import { replayJob } from '../replay-job.ts'
import { withReplayProcess } from '../replay-process.ts'
import { type Counts, count, type RestoreOptions } from '../restore.ts'
import { copier, fetchLfsContents } from '../restore-contents.ts'
import type { Steps, Wanted } from './steps.ts'

export interface Staging {
  store: Store
  tree: CommitTree
  wanted: Wanted
  /** The assets that are made; the others are there as they are wanted. */
  made: AssetEntry[]
  steps: Steps
  root: string
  /** The folder, which is there and empty. */
  staging: string
  extensions: readonly string[] | undefined
  /** Asked, before those of the last push, for contents of Git LFS that are not here. */
  remotes: RestoreOptions['remotes']
}

/**
 * Makes all that is put, durable and with the owner of what it replaces; databases with its mode, too. Throws RowbackError
 * where it cannot be made or could not be put; the source is as it was.
 */
export async function stage(job: Staging, phases: Phases): Promise<Counts> {
  const { store, tree, wanted, made, staging, extensions, remotes } = job
  const files = fileEntries(wanted.assets).length
  const counts = { databases: wanted.databases.length, rows: 0, files, bytes: 0 }
  await refuseObstacles(job)
  const rev = tree.commit.oid.slice(0, 10)
  await fetchLfsContents(store, made, { rev, remotes, left: 'nothing was replaced' })
  phases.begin('replay')
  await withReplayProcess(async (process) => {
    for (const { database, path } of wanted.databases) {
      const file = join(staging, path)
      await makeFolders(dirname(file))
      await process.run(replayJob(store, tree, database, file, extensions), count(counts, phases))
    }
  })
  phases.begin('assets')
  await restoreAssets(staging, made, copier(store, tree))
  for (const { path } of wanted.databases) await keepMode(job, path)
  for (const { path } of job.steps.put) await keepOwner(job, path)
  await syncFolders(staging)
  await syncDirectory(job.root)
  return counts
}

async function keepMode({ root, staging }: Staging, path: string): Promise<void> {
  const old = await lstatOrNone(fileAt(root, path))
  if (old?.isFile()) await chmod(join(staging, path), old.mode & 0o777)
}

/** The owner is that of what is replaced, which must be; else that of the directory, where this user may give it away. */
async function keepOwner({ root, staging }: Staging, path: string): Promise<void> {
  const old = await lstatOrNone(fileAt(root, path))
  const { uid, gid } = old ?? (await nearestFolder(root, path))
  const file = fileAt(staging, path)
  const made = await lstat(file)
  if (made.uid === uid && made.gid === gid) return
  try {
    await lchown(file, uid, gid)
  } catch (error) {
    if (old === undefined) return
    throw new RowbackError(
      'target',
      `restore ${shownPath(path)}: it belongs to ${uid}:${gid}, and this user may not give it away`,
      { hint: 'run it as root, or as the user of the application', cause: error },
    )
  }
  if (made.isSymbolicLink()) return
  await chmod(file, made.mode & 0o777)
  await syncOwner(file)
}

/** Its mode may not let this user open it; the owner is durable with the next sync of the file system then. */
async function syncOwner(file: string | Buffer): Promise<void> {
  await syncFile(file).catch((error: unknown) => {
    if (!hasErrno(error, 'EACCES')) throw error
  })
}

/** Throws a `target` error for what no rename could replace, and for a file system that is not the staging's. */
async function refuseObstacles({ root, staging, steps }: Staging): Promise<void> {
  const { dev } = await lstat(staging)
  const gone = new Set([...steps.remove, ...steps.removeFolders])
  const changed = [...steps.remove, ...steps.put.map(({ path }) => path)]
  const mounts = mountPoints()
  for (const path of changed) if (mounts.has(join(root, path))) throw obstacle(path, 'is a mount point')
  const folders = steps.folders.map(({ path }) => path)
  const opened = new Set([...folders, ...steps.removeFolders])
  const holding = new Set([...changed, ...folders].map((path) => dirname(path)))
  for (const folder of holding) await refuseReadOnly(root, folder, opened)
  for (const folder of steps.folders) await refuseForeign(root, folder)
  for (const { path } of steps.folders) {
    const found = await lstatOrNone(fileAt(root, path))
    if (found && !found.isDirectory() && !gone.has(path)) throw obstacle(path, 'is in the way of a directory')
  }
  for (const { path } of steps.put) {
    const found = await lstatOrNone(fileAt(root, path))
    if (found?.isDirectory() && !(await goesWhole(root, path, gone)))
      throw obstacle(path, 'is a directory that holds what is not restored')
    if (found && !found.isDirectory() && !found.isFile() && !found.isSymbolicLink())
      throw obstacle(path, 'is no file')
    if ((await nearestFolder(root, path)).dev !== dev) throw obstacle(path, 'is on another file system')
  }
}

/** Throws for a directory in which this user may change no name; into those that are opened for it, the owner is let. */
async function refuseReadOnly(root: string, path: string, opened: ReadonlySet<string>): Promise<void> {
  const found = await lstatOrNone(fileAt(root, path))
  if (found === undefined && path !== '.') return refuseReadOnly(root, dirname(path), opened)
  if (!found?.isDirectory() || (opened.has(path) && found.uid === process.getuid?.())) return
  await access(fileAt(root, path), constants.W_OK | constants.X_OK).catch(() => {
    const where = path === '.' ? root : shownPath(path)
    throw new RowbackError('target', `this user may change nothing in ${where}`, {
      hint: 'run it as root, or as the user of the application',
    })
  })
}

/** Throws for a directory whose mode this user would have to change, and may not. */
async function refuseForeign(root: string, { path, mode }: Steps['folders'][number]): Promise<void> {
  const found = await lstatOrNone(fileAt(root, path))
  const user = process.getuid?.()
  if (!found?.isDirectory() || (found.mode & 0o777) === mode || user === 0 || found.uid === user) return
  throw obstacle(path, 'is a directory of another user, with another mode')
}

function obstacle(path: string, problem: string): RowbackError {
  return new RowbackError('target', `restore ${shownPath(path)}: what is there ${problem}`, {
    hint: 'rowback restore REV --to DIR',
  })
}

/** Whether nothing of a directory stays. */
async function goesWhole(root: string, path: string, gone: ReadonlySet<string>): Promise<boolean> {
  if (!gone.has(path)) return false
  for (const name of await readdir(fileAt(root, path), { encoding: 'buffer' })) {
    const inner = `${path}/${bytesText(name)}`
    const isFolder = (await lstatOrNone(fileAt(root, inner)))?.isDirectory() === true
    const goes = isFolder ? await goesWhole(root, inner, gone) : gone.has(inner)
    if (!goes) return false
  }
  return true
}

async function nearestFolder(root: string, path: string): Promise<Stats> {
  const folder = dirname(path)
  const found = await lstatOrNone(fileAt(root, folder))
  return found?.isDirectory() || folder === '.' ? (found as Stats) : nearestFolder(root, folder)
}

async function lstatOrNone(path: string | Buffer): Promise<Stats | undefined> {
  try {
    return await lstat(path)
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}

async function syncFolders(root: string, path = ''): Promise<void> {
  for (const name of await readdir(fileAt(root, path), { encoding: 'buffer' })) {
    const inner = [path, bytesText(name)].filter((part) => part !== '').join('/')
    if ((await lstatOrNone(fileAt(root, inner)))?.isDirectory()) await syncFolders(root, inner)
  }
  await syncDirectory(fileAt(root, path))
}
