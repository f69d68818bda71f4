/** Asks SQLite whether the pages of a database hold together. */

import type { Database } from 'better-sqlite3'
import { RowbackError } from '../errors.ts'

/** Findings about rows that break rules of their own table; such rows are dumped as they are. */
const ruleFinding =
  /^(?:NULL value in |CHECK constraint failed in |(?:NUMERIC|TEXT|INTEGER|INT|REAL|BLOB|NUMBER) value in |non-[A-Z]+ value in )/

/** Throws a `source` error with the first damage found in `db`; `path` names it. Indexes are not compared. */
export function checkIntegrity(db: Database, path: string): void {
  const finding = firstDamage(db, 'quick_check')
  if (finding === undefined) return
  throw new RowbackError('source', `read ${path}: it is corrupt: ${finding}; nothing was committed`, {
    hint: `sqlite3 ${JSON.stringify(path)} 'PRAGMA integrity_check'`,
  })
}

/** The first damage that a full check finds, indexes and full-text indexes included. */
export function integrityFinding(db: Database): string | undefined {
  return firstDamage(db, 'integrity_check')
}

function firstDamage(db: Database, check: 'quick_check' | 'integrity_check'): string | undefined {
  const rows = db.prepare(`PRAGMA ${check}`).pluck().all() as string[]
  return rows.find((row) => row !== 'ok' && !ruleFinding.test(row))?.replaceAll('\n', '; ')
}

/** How many rows name a row that is not there. */
export function foreignKeyViolations(db: Database): number {
  try {
    return db.prepare('SELECT count(*) FROM pragma_foreign_key_check').pluck().get() as number
  } catch {
    // A foreign key whose parent table or key does not exist cannot be checked: a "foreign key mismatch".
    return 0
  }
}
