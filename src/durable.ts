/** Makes files and the names in directories durable: fsync(2). */

import { open } from 'node:fs/promises'
import { hasErrno } from './errors.ts'

/**
 * Makes the content of a file durable. Throws the system's error, as what is not durable must not be relied on; but that of a
 * system which syncs no file that is open for reading (EPERM, on Windows).
 */
export async function syncFile(path: string | Buffer): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } catch (error) {
    if (!hasErrno(error, 'EPERM')) throw error
  } finally {
    await handle.close()
  }
}

/**
 * Makes the names in a directory durable: what was made, renamed and removed there. Left to the file system are a directory
 * that this user may change and not read, and one where the system opens or syncs no directories. Throws every other error
 * of the system's, of a disk that fails and of a directory that is gone too.
 */
export async function syncDirectory(path: string | Buffer): Promise<void> {
  try {
    await syncFile(path)
  } catch (error) {
    if (!hasErrno(error, 'EACCES', 'EPERM', 'EINVAL', 'EISDIR', 'EBADF', 'ENOTSUP')) throw error
  }
}
