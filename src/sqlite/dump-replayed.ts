/** Dumps a replayed database, which is private and has been checked. */

import { openReplayed } from './check-replayed.ts'
import type { DumpFile, TableRows } from './dump-rows.ts'
import { makeLegible } from './make-legible.ts'
import type { DumpOptions } from './plan-dump.ts'
import { startDump } from './start-dump.ts'

/** Yields the files of the dump and returns the row counts, as `dumpDatabase` does. */
export async function* dumpReplayed(
  file: string,
  options: DumpOptions,
): AsyncGenerator<DumpFile, TableRows[]> {
  const db = openReplayed(file, options.extensions)
  try {
    const snapshot = { db, path: file, isPrivate: true, originals: makeLegible(db) }
    const dump = startDump(snapshot, file, options, { isChecked: true })
    try {
      return yield* dump.files
    } finally {
      await dump.stop()
    }
  } finally {
    db.close()
  }
}
