/**
 * Makes the index of a pack anew: it says where the pack has which object, and can be told from the pack alone
 * (git-index-pack(1)). A pack without one is nothing to git, though all may be in it.
 */

import { readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { syncDirectory } from '../durable.ts'
import { type GitEnd, git } from './run.ts'
import { makeGitDirectory, packFolder } from './session.ts'
import { type WorkDirs, withWorkDir } from './work-dir.ts'

/** One thread, and no large content as a whole in memory: this is never urgent. */
const settings = ['pack.threads=1', 'core.bigFileThreshold=16m', 'core.fsync=all'].flatMap((setting) => [
  '-c',
  setting,
])

/** The packs of a git directory that have no index, by their names. */
export async function packsWithoutIndex(gitDir: string): Promise<string[]> {
  const files = new Set(await readdir(packFolder(gitDir)).catch(() => []))
  const names = [...files].flatMap((file) => /^(pack-[0-9a-f]{40})\.pack$/.exec(file)?.[1] ?? [])
  return names.filter((name) => !files.has(`${name}.idx`))
}

/**
 * Puts a pack, the file at `pack`, and a new index into a repository, durably, for the holder of one of its locks. A kill leaves
 * it where it was, or in the repository without an index. Returns how git ended that does not take it for a whole and sound
 * pack, or could not look: nothing is changed then.
 */
export async function indexPack(
  gitDir: string,
  pack: string,
  whose: WorkDirs = 'tmp',
): Promise<GitEnd | undefined> {
  const name = basename(pack, '.pack')
  const folder = packFolder(gitDir)
  return withWorkDir(
    gitDir,
    async (dir) => {
      // A repository without objects: in the real one git would compare them with those that may be damaged.
      await makeGitDirectory(dir, 'none')
      const index = join(dir, `${name}.idx`)
      const done = await git(dir, [...settings, 'index-pack', '-o', index, pack], { inBackground: true })
      if (done.code !== 0) return done
      // They were derived from the old index, or as it was; git makes them anew where somebody wants them.
      for (const end of ['rev', 'bitmap']) await rm(join(folder, `${name}.${end}`), { force: true })
      if (dirname(pack) !== folder) await rename(pack, join(folder, basename(pack)))
      await rename(index, join(folder, `${name}.idx`))
      for (const changed of [folder, dirname(folder), gitDir]) await syncDirectory(changed)
      return undefined
    },
    whose,
  )
}

/** Whether git refused a pack as its end is not there: it was never written, or is gone. */
export function isCutShort({ stderr }: GitEnd): boolean {
  return /^fatal: early EOF$/m.test(stderr)
}
