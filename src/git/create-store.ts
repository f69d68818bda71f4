/** Creates the repository that backups go to. */

import { existsSync, rmSync } from 'node:fs'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { draftBeside } from '../drafts.ts'
import { syncDirectory, syncFile } from '../durable.ts'
import { diskErrnos, errorText, hasErrno, RowbackError } from '../errors.ts'
import { makeFolders } from '../folders.ts'
import { onInterrupt } from '../interrupt.ts'
import { type Engine, engineOf } from './engine.ts'
import { gitEnv } from './env.ts'
import { NativeStore } from './native.ts'
import { checkBranch, defaultBranch, type StoreOptions } from './open-store.ts'
import { git, gitCause } from './run.ts'
import type { Store } from './store.ts'
import { isVacant, type Make, makeWithin } from './vacant.ts'

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

/**
 * Creates a bare repository in `dir`, which must be vacant, and opens it. A missing directory appears
 * complete or not at all, readable by its owner only; one that is there keeps its mode.
 * Throws RowbackError('repository') if it holds anything or cannot be written, RowbackError('usage') for a bad branch.
 */
export async function createStore(dir: string, options: CreateOptions = {}): Promise<Store> {
  const store = await createIfVacant(dir, options)
  if (store !== undefined) return store
  const found: unknown = await readdir(dir).catch((error: unknown) => error)
  if (hasErrno(found, 'EACCES')) throw failure(dir, `${errorText(found)}; it was left untouched`, found)
  throw failure(dir, 'it is not empty; it was left untouched')
}

/** The same; undefined where `dir` is not vacant, or another process was faster. */
export async function createIfVacant(
  dir: string,
  { branch = defaultBranch, complete = async () => {}, lockTimeoutMs, ...options }: CreateOptions,
): Promise<Store | undefined> {
  const target = resolve(dir)
  try {
    // Asked before git is, whose version openStore asks for beside something else.
    if (!(await isVacant(target))) return undefined
    const engine = await engineOf(options.engine)
    const make: Make = async (gitDir) => {
      await initialize(gitDir, branch, engine)
      await complete(gitDir)
      // What a complete repository has: without one of these it is none after a power cut.
      for (const name of ['info', 'hooks', join('refs', 'heads'), 'refs', 'objects', '.'])
        if (existsSync(join(gitDir, name))) await syncDirectory(join(gitDir, name))
    }
    const isMade = existsSync(target)
      ? await makeWithin(target, make, lockTimeoutMs)
      : await makeBeside(target, make)
    if (!isMade) return undefined
    if (engine === 'native') return new NativeStore(dir, target, branch)
    const { openEmbedded } = await import('./embedded/open.ts')
    return await openEmbedded(dir, target, branch)
  } catch (error) {
    throw error instanceof RowbackError ? error : failure(dir, errorText(error), error)
  }
}

/** Makes a repository that appears complete or not at all; false where there is something by then. */
async function makeBeside(target: string, make: Make): Promise<boolean> {
  await makeFolders(dirname(target))
  const draft = draftBeside(target, 'new')
  const forget = onInterrupt(() => rmSync(draft, { recursive: true, force: true }))
  await mkdir(draft, { mode: 0o700 })
  try {
    await make(draft)
    await rename(draft, target)
    await syncDirectory(dirname(target))
    forget()
    return true
  } catch (error) {
    // Where that cannot be done, the next one that makes this repository does it.
    await rm(draft, { recursive: true, force: true }).catch(() => {})
    if (hasErrno(error, 'ENOTEMPTY', 'EEXIST')) return false
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
  // A git of version 3 would keep refs in tables, which not each git reads that restores.
  await run(gitDir, init, { ...gitEnv(), GIT_DEFAULT_REF_FORMAT: 'files' })
  // Off by default in a bare repository: with it, a branch that somebody moved by hand can be moved back.
  await run(gitDir, ['config', '--local', 'core.logAllRefUpdates', 'true'])
}

async function run(gitDir: string, args: string[], env = gitEnv()): Promise<void> {
  const done = await git(gitDir, args, { env })
  if (done.code !== 0) throw new Error(gitCause(done))
}

function failure(dir: string, text: string, cause?: unknown): RowbackError {
  return new RowbackError('repository', `create repository ${dir}: ${text}`, {
    hint: hasErrno(cause, ...diskErrnos) ? undefined : 'name a directory that is missing or empty',
    cause,
  })
}
