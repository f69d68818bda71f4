/** Creates the repository that backups go to. */

import { existsSync, readdirSync, rmSync } from 'node:fs'
import { mkdir, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { draftBeside } from '../drafts.ts'
import { syncDirectory, syncFile } from '../durable.ts'
import { diskErrnos, errorText, hasErrno, RowbackError } from '../errors.ts'
import { makeFolders } from '../folders.ts'
import { onInterrupt } from '../interrupt.ts'
import { type Engine, engineOf } from './engine.ts'
import { lockNewRepository } from './lock.ts'
import { NativeStore } from './native.ts'
import { checkBranch, defaultBranch, type StoreOptions } from './open-store.ts'
import { git, gitCause } from './run.ts'
import type { Store } from './store.ts'

/**
 * Takes precedence over every other attributes file (gitattributes(5)): neither the user's settings nor a
 * `.gitattributes` among the assets may change a byte of what `git archive` or a checkout gives back.
 */
const attributes = '* -text -ident -filter -working-tree-encoding -export-ignore -export-subst\n'

export interface CreateOptions extends StoreOptions {
  /** Puts what else belongs to the repository into its git directory; it is complete when that is there. */
  complete?: ((gitDir: string) => Promise<void>) | undefined
  /** How long another process that makes the same one is waited for; it is not without it. */
  lockTimeoutMs?: number | undefined
}

/** Makes the files of a repository in an empty directory. */
type Make = (gitDir: string) => Promise<void>

/**
 * Creates a bare repository in `dir`, which must be vacant, and opens it. A missing directory appears
 * complete or not at all, readable by its owner only; one that is there keeps its mode.
 * Throws RowbackError('repository') if it holds anything or cannot be written, RowbackError('usage') for a bad branch.
 */
export async function createStore(
  dir: string,
  { branch = defaultBranch, complete = async () => {}, lockTimeoutMs, ...options }: CreateOptions = {},
): Promise<Store> {
  const target = resolve(dir)
  const engine = await engineOf(options.engine)
  const make: Make = async (gitDir) => {
    await initialize(gitDir, branch, engine)
    await complete(gitDir)
    // What a complete repository has: without one of these it is none after a power cut.
    for (const name of ['info', 'hooks', join('refs', 'heads'), 'refs', 'objects', '.'])
      if (existsSync(join(gitDir, name))) await syncDirectory(join(gitDir, name))
  }
  try {
    if (!(await isVacant(target))) throw failure(dir, 'it is not empty; it was left untouched')
    if (existsSync(target)) await makeWithin(target, make, lockTimeoutMs)
    else await makeBeside(target, make)
  } catch (error) {
    throw error instanceof RowbackError ? error : failure(dir, errorText(error), error)
  }
  if (engine === 'native') return new NativeStore(dir, target, branch)
  const { openEmbedded } = await import('./embedded/open.ts')
  return openEmbedded(dir, target, branch)
}

/** Marks what is being made, or removed, in a directory that was there: until it is gone, nothing in there is of worth. */
const unfinished = join('rowback', 'unfinished')

/** What git and we make in a repository; `rowback`, with the mark and the lock, goes last. */
const ownNames = ['HEAD', 'config', 'description', 'branches', 'hooks', 'info', 'objects', 'refs', 'rowback']

/**
 * Whether there is nothing, or an empty directory, at an absolute path, or what one that died has left of a repository that it made
 * or removed there. Throws the system's error.
 */
export async function isVacant(dir: string): Promise<boolean> {
  try {
    const names = await readdir(dir)
    return names.length === 0 || (await isUnfinished(dir, names))
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return true
    throw error
  }
}

/** Before the mark is there, and behind it, nothing is but its folder and the lock; whatever it says, a repository that has a ref is one. */
async function isUnfinished(dir: string, names: readonly string[]): Promise<boolean> {
  if (!names.includes('rowback')) return false
  if (names.length === 1) {
    const inside = await readdir(join(dir, 'rowback'))
    return inside.every((name) => /^(?:lock|unfinished)(?:\.|$)/.test(name))
  }
  const isOwn = (name: string): boolean => ownNames.includes(name.replace(/\.lock$/, ''))
  if (!existsSync(join(dir, unfinished)) || !names.every(isOwn)) return false
  if (!names.includes('refs')) return true
  const refs = await readdir(join(dir, 'refs'), { recursive: true, withFileTypes: true })
  return refs.every((entry) => entry.isDirectory())
}

/** Makes a repository in a directory that is there; what is left of one is removed first. */
async function makeWithin(target: string, make: Make, waitMs: number | undefined): Promise<void> {
  const unlock = await lockNewRepository(target, { waitMs })
  try {
    // Another process may have made it meanwhile.
    if (await isVacant(target)) await makeMarked(target, make)
  } finally {
    await unlock()
    await rmdir(join(target, 'rowback')).catch(() => {})
  }
}

async function makeMarked(target: string, make: Make): Promise<void> {
  await markUnfinished(target)
  const forget = onInterrupt(() => removeMade(target))
  try {
    removeMade(target)
    await make(target)
  } catch (error) {
    removeMade(target)
    await rm(join(target, unfinished))
    throw error
  } finally {
    forget()
  }
  await rm(join(target, unfinished))
  await syncDirectory(join(target, 'rowback'))
}

/** Removes what was made of a repository that has no commit, all but its directory; the holder of its lock may. */
export async function removeStore(gitDir: string): Promise<void> {
  await markUnfinished(gitDir)
  removeMade(gitDir)
  await rm(join(gitDir, 'rowback'), { recursive: true })
}

async function markUnfinished(gitDir: string): Promise<void> {
  await writeFile(join(gitDir, unfinished), '')
  await syncDirectory(join(gitDir, 'rowback'))
}

function removeMade(gitDir: string): void {
  for (const name of readdirSync(gitDir))
    if (name !== 'rowback') rmSync(join(gitDir, name), { recursive: true })
}

async function makeBeside(target: string, make: Make): Promise<void> {
  await makeFolders(dirname(target))
  const draft = draftBeside(target, 'new')
  const forget = onInterrupt(() => rmSync(draft, { recursive: true, force: true }))
  await mkdir(draft, { mode: 0o700 })
  try {
    await make(draft)
    await rename(draft, target)
    await syncDirectory(dirname(target))
    forget()
  } catch (error) {
    // Where that cannot be done, the next one that makes this repository does it.
    await rm(draft, { recursive: true, force: true }).catch(() => {})
    throw error
  }
}

async function initialize(gitDir: string, branch: string, engine: Engine): Promise<void> {
  checkBranch(branch)
  if (engine === 'native') await initializeNative(gitDir, branch)
  else {
    const { initializeEmbedded } = await import('./embedded/open.ts')
    await initializeEmbedded(gitDir, branch)
  }
  await makeFolders(join(gitDir, 'info'))
  await writeFile(join(gitDir, 'info', 'attributes'), attributes)
  // Git does not sync what it makes.
  for (const name of ['HEAD', 'config', join('info', 'attributes')]) await syncFile(join(gitDir, name))
}

async function initializeNative(gitDir: string, branch: string): Promise<void> {
  const init = [
    'init',
    '--quiet',
    '--bare',
    '--template=',
    '--object-format=sha1',
    `--initial-branch=${branch}`,
  ]
  await run(gitDir, init)
  // Off by default in a bare repository: with it, a branch that somebody moved by hand can be moved back.
  await run(gitDir, ['config', '--local', 'core.logAllRefUpdates', 'true'])
}

async function run(gitDir: string, args: string[]): Promise<void> {
  const done = await git(gitDir, args)
  if (done.code !== 0) throw new Error(gitCause(done))
}

function failure(dir: string, text: string, cause?: unknown): RowbackError {
  return new RowbackError('repository', `create repository ${dir}: ${text}`, {
    hint: hasErrno(cause, ...diskErrnos)
      ? undefined
      : 'name a directory that is missing or empty with --repo',
    cause,
  })
}
