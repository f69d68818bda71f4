import { RowbackError } from '../errors.ts'

/** The error for a file of a dump that is not what it must be. */
export function refusal(path: string, cause: string): RowbackError {
  return new RowbackError('dump', `replay ${JSON.stringify(path)}: ${cause}`)
}
