/** Checks a replayed database, which is private. It is loaded with every replay, so it loads little itself. */

import type Database from 'better-sqlite3'
import { allowSchema } from './connection.ts'
import { foreignKeyViolations, integrityFinding } from './integrity.ts'
import { openDatabase } from './open-database.ts'

/** The first damage, and how many rows name a row that is not there. */
export function checkReplayed(
  file: string,
  extensions: readonly string[],
): { damage: string | undefined; foreignKeyViolations: number } {
  const db = openReplayed(file, extensions)
  try {
    const damage = integrityFinding(db)
    return { damage, foreignKeyViolations: damage === undefined ? foreignKeyViolations(db) : 0 }
  } finally {
    db.close()
  }
}

/** Opens it for a proof. */
export function openReplayed(file: string, extensions: readonly string[]): Database.Database {
  const db = openDatabase(file, { fileMustExist: true })
  allowSchema(db, extensions)
  return db
}
