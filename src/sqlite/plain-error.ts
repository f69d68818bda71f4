/** Errors as they go from one thread or process to another, and back. */

import { type ErrorCode, exitCodes, RowbackError } from '../errors.ts'
import { isSqliteError, sqliteError } from './sqlite-error.ts'

/** What there is to know of an error, as plain data. */
export interface PlainError {
  message: string
  /** That of RowbackError, SQLite or the system. */
  code: string
  hint?: string | undefined
  /** The system call that failed. */
  syscall?: string | undefined
  ofSqlite: boolean
  /** The code of SQLite's or the system's error behind it. */
  cause?: string | undefined
}

export function plainError(error: unknown): PlainError {
  const {
    message,
    code = '',
    syscall,
    cause,
  } = error as NodeJS.ErrnoException & { cause?: { code?: string } }
  const hint = error instanceof RowbackError ? error.hint : undefined
  return { message, code, hint, syscall, ofSqlite: isSqliteError(error), cause: cause?.code }
}

/** The error that `plainError` was given. */
export function revivedError({ message, code, hint, syscall, ofSqlite, cause }: PlainError): Error {
  if (ofSqlite) return sqliteError(message, code)
  if (Object.hasOwn(exitCodes, code)) {
    const behind = cause === undefined ? undefined : Object.assign(new Error(cause), { code: cause })
    return new RowbackError(code as ErrorCode, message, { hint, cause: behind })
  }
  return Object.assign(new Error(message), code === '' ? {} : { code }, syscall ? { syscall } : {})
}
