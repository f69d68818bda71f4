/** The error of both engines for a branch that is not where it should be. */

import { RowbackError } from '../errors.ts'
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
