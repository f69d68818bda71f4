/** The error for a file or directory of the source that cannot be read. */

import { errorText, hasErrno, RowbackError } from '../errors.ts'
import { literalGlob } from './glob.ts'
import { shownPath } from './paths.ts'

/** A `source` error for what the system said of a path, which is relative to the source. */
export function sourceError(path: string, cause: unknown): RowbackError {
  const denied = hasErrno(cause, 'EACCES', 'EPERM')
  return unreadable(path, denied ? 'permission denied' : errorText(cause), {
    hint: denied ? `let this user read it, or ${exclusion(path)}` : exclusion(path),
    cause,
  })
}

/** A `source` error that names a path; the hint is to exclude it unless another is given. */
export function unreadable(
  path: string,
  problem: string,
  options: { hint?: string; cause?: unknown } = {},
): RowbackError {
  const name = path === '' ? '.' : shownPath(path)
  const hint = options.hint ?? exclusion(path)
  return new RowbackError('source', `read ${name}: ${problem}; nothing was committed`, { ...options, hint })
}

function exclusion(path: string): string {
  return `exclude it in the settings: assets: { exclude: [${JSON.stringify(literalGlob(path))}] }`
}
