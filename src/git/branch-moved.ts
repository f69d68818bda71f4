/** The errors of both engines for a branch that is not where it should be, or not for good. */

import { errorText, RowbackError } from '../errors.ts'
import type { Store } from './store.ts'

/** Somebody else has moved the branch since its tip was read. */
export function branchMoved(
  { dir, branch }: Store,
  tip: string | undefined,
  expected: string | undefined,
): RowbackError {
  const message = `write ${dir}: branch ${branch} is at ${tip ?? 'no commit'} and not at ${expected ?? 'no commit'}`
  return new RowbackError('repository', `${message}; it was left there`, { hint: 'run the backup again' })
}

/** The branch is where it should be, but its name could not be made durable. */
export function movedUnsynced({ dir, branch }: Store, oid: string, cause: unknown): RowbackError {
  const moved = `branch ${branch} has moved to ${oid.slice(0, 12)}, which a power cut may undo`
  return new RowbackError('repository', `write ${dir}: ${errorText(cause)}; ${moved}`, { cause })
}
