/** What git does not say: why it could not read, where it calls missing what it may not see, or could not write. */

import { accessSync, constants, existsSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { diskErrnos, errorText, hasErrno } from '../errors.ts'

/**
 * Why packs, folders of objects or refs of a git directory cannot be read; undefined where they can. Objects that are a file each
 * may be many: those are looked at that are given, relative to the directory.
 */
export function accessFault(gitDir: string, objects: readonly string[] = []): string | undefined {
  const within = (folder: string) => readdirSync(join(gitDir, folder)).map((name) => join(folder, name))
  try {
    const folders = within('objects').filter((path) => /\/(?:[0-9a-f]{2}|pack)$/.test(path))
    const packs = folders.filter((path) => path.endsWith('pack')).flatMap(within)
    const refs = readdirSync(join(gitDir, 'refs'), { recursive: true, encoding: 'utf8' })
    refuseClosed(gitDir, folders, constants.R_OK | constants.X_OK)
    refuseClosed(gitDir, [
      ...packs.filter((path) => /\.(?:pack|idx)$/.test(path)),
      ...objects,
      'packed-refs',
      ...refs.map((name) => join('refs', name)),
    ])
    return undefined
  } catch (error) {
    return errorText(error)
  }
}

/** Throws the system's error for the first that this user may not open. One that is gone meanwhile is none. */
function refuseClosed(gitDir: string, paths: readonly string[], mode: number = constants.R_OK): void {
  for (const path of paths)
    try {
      accessSync(join(gitDir, path), mode)
    } catch (error) {
      if (hasErrno(error, 'EACCES', 'EPERM')) throw error
    }
}

/** More than a full disk has room for. */
const trial = Buffer.alloc(2 ** 16)

/** Why nothing can be written in a git directory; undefined where it can. */
export function storageFault(gitDir: string): string | undefined {
  // Where git removes what a run that was killed has left under such a name; one that is being made has no such folder.
  const packs = join(gitDir, 'objects', 'pack')
  const file = join(existsSync(packs) ? packs : gitDir, `tmp_trial_${process.pid}`)
  try {
    writeFileSync(file, trial, { flag: 'wx' })
    return undefined
  } catch (error) {
    if (!hasErrno(error, ...diskErrnos)) return undefined
    return errorText(error).replace(/, \w+ '.*$/, '')
  } finally {
    try {
      unlinkSync(file)
    } catch {
      // It was not made, or cannot be removed any more.
    }
  }
}
