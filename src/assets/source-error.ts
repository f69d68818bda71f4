/** What is said of a file or directory of the source that cannot be read. */

import { errorText, hasErrno, RowbackError } from '../errors.ts'
import { literalGlob } from './glob.ts'
import { shownPath } from './paths.ts'

/** A `source` error for what the system said of a path, which is relative to the source; empty for the source. */
export function sourceError(path: string, cause: unknown): RowbackError {
  const problem = systemProblem(cause)
  const hint =
    problem === denied ? `let this user read it${path === '' ? '' : `, or ${exclusion(path)}`}` : undefined
  return unreadable(path, problem, { hint, cause })
}

/** A `source` error that names a path; the hint is to exclude it unless another is given. */
export function unreadable(
  path: string,
  problem: string,
  { hint, cause }: { hint?: string | undefined; cause?: unknown } = {},
): RowbackError {
  const message = `read ${path === '' ? 'source' : shownPath(path)}: ${problem}; nothing was committed`
  return new RowbackError('source', message, {
    hint: hint ?? (path === '' ? undefined : exclusion(path)),
    cause,
  })
}

const denied = 'permission denied'

/** What the system said, in words. */
export function systemProblem(cause: unknown): string {
  return hasErrno(cause, 'EACCES', 'EPERM') ? denied : errorText(cause)
}

/** The step that leaves a path out of the backups. */
export function exclusion(path: string): string {
  return `exclude it in the settings: assets: { exclude: [${JSON.stringify(literalGlob(path))}] }`
}
