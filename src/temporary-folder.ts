/** Folders of this process in the system's temporary folder. */

import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errorText, RowbackError } from './errors.ts'
import { onInterrupt } from './interrupt.ts'

/** What to do where the system's has no room or cannot be written. */
export const temporaryFolderHint = 'TMPDIR=DIR rowback …'

/**
 * Runs `use` with a new folder `rowback-<what>-<random>`, mode 0700, and removes it. Throws RowbackError('target') if it
 * cannot be made.
 */
export async function withTemporaryFolder<T>(what: string, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), `rowback-${what}-`)).catch((cause: unknown) => {
    throw new RowbackError('target', `make a temporary folder in ${tmpdir()}: ${errorText(cause)}`, {
      hint: temporaryFolderHint,
      cause,
    })
  })
  const forget = onInterrupt(() => rmSync(folder, { recursive: true, force: true }))
  try {
    return await use(folder)
  } finally {
    // What cannot be removed must not hide how `use` ended.
    await rm(folder, { recursive: true, force: true }).catch(() => {})
    forget()
  }
}
