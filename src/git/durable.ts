/** Makes files and names durable, where the platform lets a directory be opened. */

import { open } from 'node:fs/promises'
import { hasErrno } from '../errors.ts'

/** Syncs a file, or the names in a directory (fsync(2)). */
export async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } catch (error) {
    // Some file systems sync no directories.
    if (!hasErrno(error, 'EINVAL', 'EPERM', 'EISDIR', 'EBADF')) throw error
  } finally {
    await handle.close()
  }
}
