/** Opens a repository that exists. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorText, RowbackError } from '../errors.ts'
import { gitDirectory } from './directory.ts'
import { type EngineChoice, engineOf } from './engine.ts'
import { NativeStore } from './native.ts'
import { isBranchName } from './ref-name.ts'
import type { Remote } from './remote-url.ts'
import { git, gitCause } from './run.ts'
import type { Store } from './store.ts'

/** The branch where nothing names one. */
export const defaultBranch = 'main'

export interface StoreOptions {
  branch?: string | undefined
  /** What reads and writes the repository; the git binary without it, where there is a usable one. */
  engine?: EngineChoice | undefined
  /** A partial clone fetches what it lacks with the password variable of the one that it is a clone of. */
  remotes?: readonly Remote[] | undefined
  /** The same, where `remotes` are those that something else is to be done with. */
  knownRemotes?: readonly Remote[] | undefined
}

/**
 * Opens the repository at `dir`, bare or not. Without `branch` it is the one that the repository's HEAD names; where
 * that has no commit, and `main` has, it is `main`.
 * Throws RowbackError('repository') if there is no repository that the engine can read, RowbackError('usage') for a bad
 * branch.
 */
export async function openStore(dir: string, options: StoreOptions = {}): Promise<Store> {
  const { branch } = options
  if (branch !== undefined) checkBranch(branch)
  const gitDir = await gitDirectory(dir)
  if (branch !== undefined) return openBranch(dir, gitDir, branch, options)
  const head = await openBranch(dir, gitDir, await headBranch(gitDir), options)
  if (head.branch === defaultBranch || (await head.tip()) !== undefined) return head
  const main = await openBranch(dir, gitDir, defaultBranch, options)
  const [chosen, other] = (await main.tip()) === undefined ? [head, main] : [main, head]
  await other.close()
  return chosen
}

async function openBranch(
  dir: string,
  gitDir: string,
  branch: string,
  { engine, remotes = [], knownRemotes = [] }: StoreOptions,
): Promise<Store> {
  // While git is asked for its version, which takes as long: whether there is a git at all is said by that.
  const format = engine === 'embedded' ? undefined : git(gitDir, ['rev-parse', '--show-object-format'])
  format?.catch(() => {})
  if ((await engineOf(engine)) === 'embedded' || format === undefined) {
    const { openEmbedded } = await import('./embedded/open.ts')
    return openEmbedded(dir, gitDir, branch)
  }
  refuseOtherFormat(dir, await format)
  return new NativeStore(dir, gitDir, branch, [...remotes, ...knownRemotes])
}

/** Throws unless git has said that object ids are SHA-1. */
function refuseOtherFormat(dir: string, said: Awaited<ReturnType<typeof git>>): void {
  if (said.code !== 0) throw new RowbackError('repository', `open repository ${dir}: ${gitCause(said)}`)
  const name = said.stdout.toString().trim()
  if (name === 'sha1') return
  throw new RowbackError(
    'repository',
    `open repository ${dir}: its object ids are ${name}, only sha1 is supported`,
  )
}

/** Throws RowbackError('usage') if git allows no branch of that name. */
export function checkBranch(branch: string): void {
  if (isBranchName(branch)) return
  throw new RowbackError('usage', `use branch ${JSON.stringify(branch)}: git allows no branch of that name`)
}

async function headBranch(gitDir: string): Promise<string> {
  const head = await readFile(join(gitDir, 'HEAD'), 'utf8').catch((error: unknown) => {
    throw new RowbackError('repository', `open repository ${gitDir}: ${errorText(error)}`, { cause: error })
  })
  // A reftable repository has the stub `.invalid` there; a detached HEAD holds an object id.
  return /^ref: refs\/heads\/([^.\n][^\n]*)\n?$/.exec(head)?.[1] ?? defaultBranch
}
