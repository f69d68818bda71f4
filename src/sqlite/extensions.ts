/** Loads the extensions that the user's settings name: their functions, collations and virtual table modules. */

import { existsSync } from 'node:fs'
import type { Database } from 'better-sqlite3'
import { errorText, RowbackError } from '../errors.ts'

/**
 * Loads shared libraries, given by absolute paths, into a connection. They run with all rights of this process, so a path
 * must never come from a repository. Throws a `usage` error naming the one that cannot be loaded.
 */
export function loadExtensions(db: Database, paths: readonly string[]): void {
  for (const path of paths) {
    if (!existsSync(path)) throw new RowbackError('usage', `load extension ${path}: it does not exist`)
    try {
      db.loadExtension(path)
    } catch (error) {
      throw new RowbackError('usage', `load extension ${path}: ${errorText(error)}`, { cause: error })
    }
  }
}
