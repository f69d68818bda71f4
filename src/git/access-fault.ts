/** What git does not say: it takes objects and refs that this user may not read for missing ones. */

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { errorText } from '../errors.ts'

/** Why objects or refs of a git directory cannot be read at all; undefined where they can. */
export function accessFault(gitDir: string): string | undefined {
  try {
    for (const folder of ['objects', 'refs']) readdirSync(join(gitDir, folder))
    return undefined
  } catch (error) {
    return errorText(error)
  }
}
