/** What the disk of a private file did, in contrast to what its content says. */

import { errorText, RowbackError } from '../errors.ts'

/** The cause for a message; undefined for what the disk has nothing to do with. The codes: sqlite.org/rescode.html. */
export function diskFault(error: unknown): string | undefined {
  // One that came from another process is no SqliteError any more.
  const behind = error instanceof RowbackError ? error.cause : error
  const { code = '' } = (behind ?? {}) as { code?: string }
  if (code === 'SQLITE_FULL' || code === 'SQLITE_IOERR_WRITE') return 'no room left on the disk'
  return /^SQLITE_(?:IOERR|CANTOPEN|READONLY)/.test(code) ? errorText(error) : undefined
}
