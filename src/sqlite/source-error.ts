/** What SQLite says about a source, as an error of ours. */

import { errorText, RowbackError } from '../errors.ts'
import { isSqliteError } from './sqlite-error.ts'

/** The code of the SQLite error behind an error; empty where there is none. */
export function sqliteCode(error: unknown): string {
  const cause = error instanceof RowbackError ? error.cause : error
  return isSqliteError(cause) ? cause.code : ''
}

/** The error for what SQLite says about a source while it is opened, checked or read. */
export function sourceError(path: string, error: unknown, busyTimeoutMs?: number): unknown {
  const code = isSqliteError(error) ? error.code : ''
  const cause = { cause: error }
  const say = (text: string, hint?: string): RowbackError =>
    new RowbackError('source', `read ${path}: ${text}; nothing was committed`, { ...cause, hint })
  if (code.startsWith('SQLITE_BUSY')) {
    const waited = busyTimeoutMs === undefined ? '' : ` for ${busyTimeoutMs / 1000} s`
    return say(
      `another process has kept it locked${waited}`,
      'raise busy-timeout in the settings, or stop the application',
    )
  }
  if (code === 'SQLITE_NOTADB') return say('it is no SQLite database, or it is encrypted')
  if (code.startsWith('SQLITE_CORRUPT')) {
    return say(
      `it is corrupt: ${errorText(error)}`,
      `sqlite3 ${JSON.stringify(path)} 'PRAGMA integrity_check'`,
    )
  }
  if (code.startsWith('SQLITE_')) return say(errorText(error))
  return error
}
