/** Dumps a replayed database, which is private and has been checked. */

import { openReplayed } from './check-replayed.ts'
import type { DumpedTable, DumpFile, KeptFile } from './dump-rows.ts'
import { makeLegible } from './make-legible.ts'
import type { DumpOptions } from './plan-dump.ts'
import { privateFile } from './snapshot-copy.ts'
import { startDump } from './start-dump.ts'

/** Yields the files of the dump and returns its tables, as `dumpDatabase` does. */
export async function* dumpReplayed(
  file: string,
  options: DumpOptions,
): AsyncGenerator<DumpFile | KeptFile, DumpedTable[]> {
  const db = openReplayed(file, options.extensions)
  try {
    const snapshot = { db, shared: () => privateFile(file), pages: undefined, originals: makeLegible(db) }
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
