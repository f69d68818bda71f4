/** Checks a replayed database and dumps it again: what a proof asks of it. The file is private. */

import Database from 'better-sqlite3'
import type { DumpedTable, DumpFile, KeptFile } from './dump-rows.ts'
import { loadExtensions } from './extensions.ts'
import { foreignKeyViolations, integrityFinding } from './integrity.ts'
import { makeLegible } from './make-legible.ts'
import type { DumpOptions } from './plan-dump.ts'
import { allowEverySchema } from './snapshot.ts'
import { startDump } from './start-dump.ts'

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

/** Yields the files of the dump and returns its tables, as `dumpDatabase` does. */
export async function* dumpReplayed(
  file: string,
  options: DumpOptions,
): AsyncGenerator<DumpFile | KeptFile, DumpedTable[]> {
  const db = openReplayed(file, options.extensions)
  try {
    const snapshot = { db, path: file, isPrivate: true, pages: undefined, originals: makeLegible(db) }
    const dump = await startDump(snapshot, file, options, { isChecked: true })
    try {
      return yield* dump.files
    } finally {
      await dump.stop()
    }
  } finally {
    db.close()
  }
}

function openReplayed(file: string, extensions: readonly string[]): Database.Database {
  const db = new Database(file, { fileMustExist: true })
  allowEverySchema(db)
  loadExtensions(db, extensions)
  return db
}
