/** Private temporary directories inside a repository, for the holder of its lock. */

import { randomBytes } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Makes `<gitDir>/rowback/tmp/<random>`, mode 0700, and returns its path; the caller removes it. Only for the holder
 * of the repository's lock: whoever takes the lock next removes what is left there.
 */
export async function makeWorkDir(gitDir: string): Promise<string> {
  const dir = join(gitDir, 'rowback', 'tmp', randomBytes(8).toString('hex'))
  await mkdir(dir, { recursive: true, mode: 0o700 })
  return dir
}

/** Removes what runs that died have left; only right after the lock was taken. */
export async function clearWorkDirs(gitDir: string): Promise<void> {
  await rm(join(gitDir, 'rowback', 'tmp'), { recursive: true, force: true })
}

/** Runs `use` with a directory of `makeWorkDir` and removes it. */
export async function withWorkDir<T>(gitDir: string, use: (dir: string) => Promise<T>): Promise<T> {
  const dir = await makeWorkDir(gitDir)
  try {
    return await use(dir)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
