/** Opens a repository that exists. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorText, RowbackError } from '../errors.ts'
import { gitDirectory } from './directory.ts'
import { type EngineChoice, engineOf } from './engine.ts'
import { NativeStore } from './native.ts'
import { isBranchName } from './ref-name.ts'
import { git, gitCause } from './run.ts'
import type { Store } from './store.ts'

/** The branch where nothing names one. */
export const defaultBranch = 'main'

export interface StoreOptions {
  branch?: string | undefined
  /** What reads and writes the repository; the git binary without it, where there is a usable one. */
  engine?: EngineChoice | undefined
}

/**
 * Opens the repository at `dir`, bare or not. Without `branch` it is the one that the repository's HEAD names.
 * Throws RowbackError('repository') if there is no repository that the engine can read, RowbackError('usage') for a bad
 * branch.
 */
export async function openStore(dir: string, { branch, engine }: StoreOptions = {}): Promise<Store> {
  if (branch !== undefined) checkBranch(branch)
  const gitDir = await gitDirectory(dir)
  if ((await engineOf(engine)) === 'embedded') {
    const { openEmbedded } = await import('./embedded/open.ts')
    return openEmbedded(dir, gitDir, branch ?? (await headBranch(gitDir)))
  }
  const format = await git(gitDir, ['rev-parse', '--show-object-format'])
  if (format.code !== 0) throw new RowbackError('repository', `open repository ${dir}: ${gitCause(format)}`)
  const name = format.stdout.toString().trim()
  if (name !== 'sha1')
    throw new RowbackError(
      'repository',
      `open repository ${dir}: its object ids are ${name}, only sha1 is supported`,
    )
  return new NativeStore(dir, gitDir, branch ?? (await headBranch(gitDir)))
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
