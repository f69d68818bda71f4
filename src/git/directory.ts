/** Finds the git directory of a repository, by files alone; no parent directory is ever searched. */

import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { errorText, hasErrno, RowbackError } from '../errors.ts'
import { shellWord } from '../shell.ts'

/**
 * The absolute path of the git directory of the repository `dir`: `dir` itself if it is bare, else its `.git`; of a
 * linked work tree the directory that all work trees share (gitrepository-layout(5)).
 * Throws RowbackError('repository') if there is no repository or it cannot be read.
 */
export async function gitDirectory(dir: string): Promise<string> {
  try {
    if (!(await stat(dir)).isDirectory()) throw unusable(dir, 'it is no directory')
    const gitDir = await ownGitDirectory(resolve(dir))
    const common = resolve(gitDir, await readLine(join(gitDir, 'commondir'), '.'))
    await Promise.all([stat(join(common, 'HEAD')), stat(join(common, 'objects')), stat(join(common, 'refs'))])
    return common
  } catch (error) {
    if (error instanceof RowbackError) throw error
    if (!hasErrno(error, 'ENOENT', 'ENOTDIR')) throw unusable(dir, errorText(error), error)
    throw await missing(dir)
  }
}

/**
 * The absolute path of the directory that git takes the relative address of a remote from: the top of the work tree where `dir` is
 * one, or the `.git` of one, else the git directory itself.
 */
export function addressBase({ dir, gitDir }: { dir: string; gitDir: string }): string {
  if (existsSync(join(dir, '.git'))) return resolve(dir)
  return basename(gitDir) === '.git' ? dirname(gitDir) : gitDir
}

/** The error where there is no repository, be there something else or not. */
async function missing(dir: string): Promise<RowbackError> {
  try {
    await stat(dir)
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) return unusable(dir, 'what it is to be in is no directory', error)
    const hint = `rowback backup SOURCE --repo ${shellWord(dir)}`
    return new RowbackError('repository', `open repository ${dir}: it does not exist`, { hint, cause: error })
  }
  return unusable(dir, 'it is not a git repository')
}

async function ownGitDirectory(dir: string): Promise<string> {
  const dotGit = join(dir, '.git')
  const found = await stat(dotGit).catch(() => undefined)
  if (!found) return dir
  if (found.isDirectory()) return dotGit
  return resolve(dir, (await readLine(dotGit, '')).replace(/^gitdir: /, ''))
}

async function readLine(file: string, otherwise: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).replace(/\n$/, '')
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return otherwise
    throw error
  }
}

function unusable(dir: string, text: string, cause?: unknown): RowbackError {
  return new RowbackError('repository', `open repository ${dir}: ${text}`, {
    hint: hasErrno(cause, 'EACCES', 'EPERM')
      ? 'run it as root, or as the user who makes the backups'
      : 'name a repository of backups, or for a new one a directory that is missing or empty',
    cause,
  })
}
