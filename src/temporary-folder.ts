/** Folders of this process in the system's temporary folder. */

import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { diskErrnos, errorText, hasErrno, RowbackError } from './errors.ts'
import { onInterrupt } from './interrupt.ts'

/**
 * Runs `use` with a new folder `rowback-<what>-<random>`, mode 0700, and removes it. Throws RowbackError('target') where it
 * cannot be made or written, or has no room.
 */
export async function withTemporaryFolder<T>(what: string, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), `rowback-${what}-`)).catch((error: unknown) => {
    throw folderError(`make a temporary folder in ${tmpdir()}`, error)
  })
  const forget = onInterrupt(() => rmSync(folder, { recursive: true, force: true }))
  try {
    return await use(folder)
  } catch (error) {
    if (error instanceof RowbackError || !hasErrno(error, ...diskErrnos)) throw error
    throw folderError(`write ${folder}`, error)
  } finally {
    // What cannot be removed must not hide how `use` ended.
    await rm(folder, { recursive: true, force: true }).catch(() => {})
    forget()
  }
}

function folderError(verb: string, cause: unknown): RowbackError {
  return new RowbackError('target', `${verb}: ${errorText(cause)}`, { hint: 'TMPDIR=DIR rowback …', cause })
}
