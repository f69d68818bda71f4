/** The one error class of Rowback and the process exit codes; pure. */

/** Exit codes of the command line, one for each kind of outcome. */
export const exitCodes = {
  done: 0,
  fault: 1,
  usage: 2,
  source: 10,
  repository: 11,
  remote: 12,
  difference: 13,
  dump: 14,
  target: 15,
  interrupted: 130,
} as const

/** What went wrong, by kind; `exitCodes` maps each to its number. */
export type ErrorCode = Exclude<keyof typeof exitCodes, 'done'>

/**
 * The error that every flow throws for what a user can mend.
 * `message` is "verb object: cause"; `hint` is one command or step that helps.
 */
export class RowbackError extends Error {
  override readonly name = 'RowbackError'
  readonly code: ErrorCode
  readonly hint: string | undefined
  /** What there is to know beyond the message: keys that join `error` in the JSON document. */
  readonly result: Readonly<Record<string, unknown>>

  constructor(
    code: ErrorCode,
    message: string,
    options: { hint?: string | undefined; cause?: unknown; result?: object } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint
    this.result = { ...options.result }
  }
}

/** The text of whatever was thrown, on one line. */
export function errorText(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  const lines = text.split('\n').map((line) => line.trim())
  return lines.filter((line) => line !== '').join('; ')
}

/** What a disk says that is full or read-only, and a system that has taken rights away. */
export const diskErrnos = ['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM', 'EIO'] as const

/** What file systems without hard links say. */
export const noLinkErrnos = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EACCES'] as const

/** Whether an error is a Node.js system error with that code, such as `ENOENT`. */
export function hasErrno(error: unknown, ...codes: readonly string[]): error is NodeJS.ErrnoException {
  return error instanceof Error && codes.includes((error as NodeJS.ErrnoException).code ?? '')
}
