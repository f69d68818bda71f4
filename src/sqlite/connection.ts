/** What every connection to a database with a schema of others' needs. */

import type { Database } from 'better-sqlite3'
import { loadExtensions } from './extensions.ts'

/**
 * Lets a connection read any schema: in defensive mode SQLite calls one with a trigger or index on a shadow table
 * malformed, and a schema may need extensions, given by absolute paths. Throws as `loadExtensions` does.
 */
export function allowSchema(db: Database, extensions: readonly string[]): void {
  db.unsafeMode(true)
  loadExtensions(db, extensions)
}
