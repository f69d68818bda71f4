/** Tells an error of SQLite by its name: for its class, better-sqlite3 would have to be loaded, and no thread passes it on. */

/** What better-sqlite3 throws: `code` is SQLite's, as at sqlite.org/rescode.html. */
export type SqliteError = Error & { code: string }

const name = 'SqliteError'

export function isSqliteError(error: unknown): error is SqliteError {
  return error instanceof Error && error.name === name
}

/** An error of SQLite's from another process or thread. */
export function sqliteError(message: string, code: string): SqliteError {
  return Object.assign(new Error(message), { name, code })
}
