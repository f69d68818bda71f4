/** Opens a repository that exists. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RowbackError } from '../errors.ts'
import { gitDirectory } from './directory.ts'
import { NativeStore } from './native.ts'
import { git, gitCause } from './run.ts'
import type { Store } from './store.ts'

/** The branch where nothing names one. */
export const defaultBranch = 'main'

/**
 * Opens the repository at `dir`, bare or not. Without `branch` it is the one that the repository's HEAD names.
 * Throws RowbackError('repository') if there is no repository that git can read, RowbackError('usage') for a bad branch.
 */
export async function openStore(dir: string, options: { branch?: string | undefined } = {}): Promise<Store> {
  const gitDir = await gitDirectory(dir)
  const format = await git(gitDir, ['rev-parse', '--show-object-format'])
  if (format.code !== 0) throw new RowbackError('repository', `open repository ${dir}: ${gitCause(format)}`)
  const name = format.stdout.toString().trim()
  if (name !== 'sha1')
    throw new RowbackError(
      'repository',
      `open repository ${dir}: its object ids are ${name}, only sha1 is supported`,
    )
  if (options.branch !== undefined) await checkBranch(gitDir, options.branch)
  return new NativeStore(dir, gitDir, options.branch ?? (await headBranch(gitDir)))
}

/** Throws RowbackError('usage') if git allows no branch of that name. */
export async function checkBranch(gitDir: string, branch: string): Promise<void> {
  const canBeArgument = !branch.startsWith('-') && !branch.includes('\0')
  if (canBeArgument && (await git(gitDir, ['check-ref-format', `refs/heads/${branch}`])).code === 0) return
  throw new RowbackError('usage', `use branch ${JSON.stringify(branch)}: git allows no branch of that name`)
}

async function headBranch(gitDir: string): Promise<string> {
  const head = await readFile(join(gitDir, 'HEAD'), 'utf8')
  // A reftable repository has the stub `.invalid` there; a detached HEAD holds an object id.
  return /^ref: refs\/heads\/([^.\n][^\n]*)\n?$/.exec(head)?.[1] ?? defaultBranch
}
