/** What the disk of a private file did, in contrast to what its content says. */

import { diskErrnos, errorText, hasErrno, RowbackError } from '../errors.ts'

/** The cause for a message; undefined for what the disk has nothing to do with. SQLite's codes: sqlite.org/rescode.html. */
export function diskFault(error: unknown): string | undefined {
  const isOfDisk = /^SQLITE_(?:IOERR|CANTOPEN|READONLY)/.test(codeOf(error)) || hasErrno(error, ...diskErrnos)
  return writeFault(error) ?? (isOfDisk ? errorText(error) : undefined)
}

/** Why a disk takes nothing more, as a cause for a message; undefined for all else. */
export function writeFault(error: unknown): string | undefined {
  const code = codeOf(error)
  if (/^(?:ENOSPC|EDQUOT|SQLITE_FULL)$/.test(code)) return 'no room left on the disk'
  // SQLite has its own code for a disk that is full only.
  return code === 'SQLITE_IOERR_WRITE'
    ? 'the disk takes no writes: it is read-only, over quota or failing'
    : undefined
}

function codeOf(error: unknown): string {
  // One that came from another process is no SqliteError any more.
  const behind = error instanceof RowbackError ? error.cause : error
  return String((behind as { code?: unknown } | undefined)?.code ?? '')
}
