/** Private temporary directories inside a repository, for the holder of one of its locks. */

import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { errorText, hasErrno, RowbackError } from '../errors.ts'
import { makeFolders } from '../folders.ts'
import { onInterrupt } from '../interrupt.ts'

/** Whose directories: those of the holder of the repository's lock, or of the one for its upkeep. */
export type WorkDirs = 'tmp' | 'upkeep'

/**
 * Makes `<gitDir>/rowback/tmp/<random>`, mode 0700, and returns its path; the caller removes it. Only for the holder
 * of the lock: whoever takes that next removes what is left there. Throws RowbackError('repository').
 */
export async function makeWorkDir(gitDir: string, whose: WorkDirs = 'tmp'): Promise<string> {
  const dir = join(gitDir, 'rowback', whose, randomBytes(8).toString('hex'))
  clearedIfInterrupted.add(join(gitDir, 'rowback', whose))
  try {
    await makeFolders(dir, 0o700)
  } catch (error) {
    throw new RowbackError('repository', `write ${dir}: ${errorText(error)}; the last commit is intact`, {
      cause: error,
    })
  }
  return dir
}

/** Folders of such directories that this process has made. */
const clearedIfInterrupted = new Set<string>()
onInterrupt(() => {
  for (const folder of clearedIfInterrupted) removeInUse(folder)
})

/** Git, or a thread, may put a file into what is being removed: then there is one more to remove. */
function removeInUse(folder: string): void {
  for (let tries = 5; tries > 0; tries--) {
    try {
      rmSync(folder, { recursive: true, force: true })
      return
    } catch (error) {
      if (!hasErrno(error, 'ENOTEMPTY')) throw error
    }
  }
}

/** Removes what runs that died have left; only right after the lock was taken. */
export async function clearWorkDirs(gitDir: string, whose: WorkDirs = 'tmp'): Promise<void> {
  await rm(join(gitDir, 'rowback', whose), { recursive: true, force: true })
}

/** Removes such a directory. Where that cannot be done, the next holder of the lock does it, and what this run ends with counts. */
export async function removeWorkDir(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true }).catch(() => {})
}

/** Runs `use` with a directory of `makeWorkDir` and removes it. */
export async function withWorkDir<T>(
  gitDir: string,
  use: (dir: string) => Promise<T>,
  whose: WorkDirs = 'tmp',
): Promise<T> {
  const dir = await makeWorkDir(gitDir, whose)
  try {
    return await use(dir)
  } finally {
    await removeWorkDir(dir)
  }
}
