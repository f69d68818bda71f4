/** Creates the repository that backups go to. */

import { rmSync } from 'node:fs'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { draftBeside } from '../drafts.ts'
import { syncDirectory, syncFile } from '../durable.ts'
import { diskErrnos, errorText, hasErrno, RowbackError } from '../errors.ts'
import { makeFolders } from '../folders.ts'
import { onInterrupt } from '../interrupt.ts'
import { type Engine, engineOf } from './engine.ts'
import { NativeStore } from './native.ts'
import { checkBranch, defaultBranch, type StoreOptions } from './open-store.ts'
import { git, gitCause } from './run.ts'
import type { Store } from './store.ts'

/**
 * Takes precedence over every other attributes file (gitattributes(5)): neither the user's settings nor a
 * `.gitattributes` among the assets may change a byte of what `git archive` or a checkout gives back.
 */
const attributes = '* -text -ident -filter -working-tree-encoding -export-ignore -export-subst\n'

/**
 * Creates a bare repository in `dir`, which must be missing or empty, and opens it. A missing directory appears
 * complete or not at all, readable by its owner only; one that is there keeps its mode.
 * Throws RowbackError('repository') if it holds anything or cannot be written, RowbackError('usage') for a bad branch.
 */
export async function createStore(
  dir: string,
  { branch = defaultBranch, ...options }: StoreOptions = {},
): Promise<Store> {
  const target = resolve(dir)
  const engine = await engineOf(options.engine)
  try {
    const present = await entriesOf(target)
    if (present && present.length > 0) throw failure(dir, 'it is not empty; it was left untouched')
    if (present) await initialize(target, branch, engine)
    else await initializeBeside(target, branch, engine)
  } catch (error) {
    throw error instanceof RowbackError ? error : failure(dir, errorText(error), error)
  }
  if (engine === 'native') return new NativeStore(dir, target, branch)
  const { openEmbedded } = await import('./embedded/open.ts')
  return openEmbedded(dir, target, branch)
}

async function entriesOf(dir: string): Promise<string[] | undefined> {
  try {
    return await readdir(dir)
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

async function initializeBeside(target: string, branch: string, engine: Engine): Promise<void> {
  await makeFolders(dirname(target))
  const draft = draftBeside(target, 'new')
  const forget = onInterrupt(() => rmSync(draft, { recursive: true, force: true }))
  await mkdir(draft, { mode: 0o700 })
  try {
    await initialize(draft, branch, engine)
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
  // Git does not sync what it makes, and without one of these the repository is none after a power cut.
  const files = ['HEAD', 'config', join('info', 'attributes')]
  for (const name of files) await syncFile(join(gitDir, name))
  const folders = ['info', join('refs', 'heads'), 'refs', 'objects', '.']
  for (const name of folders) await syncDirectory(join(gitDir, name))
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
