/** Reads a settings file. */

import { isUtf8 } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import { errorText, hasErrno, RowbackError } from '../errors.ts'
import { parseSettings, type Settings } from './settings.ts'

/** The settings in `file`. Throws a `usage` error if it cannot be read or has problems; all are listed. */
export async function readSettings(file: string): Promise<Settings> {
  const bytes = await readFile(file).catch((error: unknown) => {
    throw new RowbackError('usage', `read settings ${file}: ${cause(error)}`, { cause: error })
  })
  if (!isUtf8(bytes)) throw new RowbackError('usage', `read settings ${file}: it is not UTF-8 text`)
  return parseSettings(bytes.toString('utf8'), file)
}

function cause(error: unknown): string {
  if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return 'no such file'
  if (hasErrno(error, 'EISDIR')) return 'it is a directory'
  if (hasErrno(error, 'EACCES', 'EPERM')) return 'permission denied'
  return errorText(error)
}
