/** What git does not say: why it could not read, where it calls missing what it may not see, or could not write. */

import { existsSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { diskErrnos, errorText, hasErrno } from '../errors.ts'

/** Why objects or refs of a git directory cannot be read at all; undefined where they can. */
export function accessFault(gitDir: string): string | undefined {
  try {
    for (const folder of ['objects', 'refs']) readdirSync(join(gitDir, folder))
    return undefined
  } catch (error) {
    return errorText(error)
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
