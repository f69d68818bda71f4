/** Dumps one database of a source into the tree of a commit. */

import type { BackupOptions } from './backup.ts'
import type { Manifest } from './dump/manifest.ts'
import type { Phases } from './progress.ts'
import type { Source } from './source.ts'
import { forget, type KnownDatabase, knownDatabase } from './sqlite/known.ts'
import type { DumpOptions } from './sqlite/plan-dump.ts'
import { databasePrint } from './sqlite/print.ts'
import { namesOfTables } from './sqlite/schema.ts'
import { openSnapshot, type Snapshot } from './sqlite/snapshot.ts'
import { sourceError } from './sqlite/source-error.ts'
import { type RunningDump, startDump } from './sqlite/start-dump.ts'
import { Packed, type SeenDatabase, type State } from './state.ts'
import type { TreeBuilder } from './tree-builder.ts'
import { writeDatabase } from './write-tree.ts'

interface DumpSourceOptions extends BackupOptions {
  /** What the last backup saw. */
  known: State | undefined
  /** Where it may be copied. */
  workDir: string
}

interface DumpedSource {
  entry: Manifest['databases'][number]
  seen: SeenDatabase
  isWhole: boolean
  /** Those to be left out that it has not. */
  unknownTables: string[]
}

/** Dumps one database, and tells what is to be remembered of it. Throws RowbackError. */
export async function dumpSource(
  tree: TreeBuilder,
  { kind }: Source,
  { name, path, file }: Source['databases'][number],
  options: DumpSourceOptions,
  phases: Phases,
): Promise<DumpedSource> {
  const { known, workDir, busyTimeoutMs = 10_000, extensions = [] } = options
  const { excludeTables = [], fullText = 'logical' } = options
  phases.begin('snapshot')
  // Of the moment before: what is written from here on makes it differ.
  const print = databasePrint(file)
  const pages = known?.databases.get(path)?.pages
  const snapshot = await openSnapshot(file, { workDir, busyTimeoutMs, extensions })
  try {
    phases.begin('dump')
    const { names, unknown } = namesOfTables(snapshot.db, excludeTables)
    const dumpOptions = { excludeTables: names, fullText, extensions }
    const dump = await startKnownDump(snapshot, file, dumpOptions, pages)
    try {
      const named = { name, path: kind === 'directory' ? path : undefined }
      const { entry, chunks } = await writeDatabase(tree, dump.files, named, dumpOptions)
      const { seen, isWhole } = dump
      const remembered = { print, pages: seen && packed(knownDatabase(seen, chunks)) }
      return { entry, seen: remembered, isWhole, unknownTables: unknown }
    } finally {
      await dump.stop()
    }
  } catch (error) {
    throw sourceError(file, error)
  } finally {
    await snapshot.close()
  }
}

/** Starts a dump of what is not known; what was known is not in memory any more then. */
async function startKnownDump(
  snapshot: Snapshot,
  file: string,
  options: DumpOptions,
  pages: SeenDatabase['pages'],
): Promise<RunningDump> {
  const known = await pages?.value()
  const dump = await startDump(snapshot, file, options, { known })
  if (known) forget(known)
  return dump
}

/** What is to be remembered, in bytes; it is nowhere else then. */
function packed(known: KnownDatabase): Packed<KnownDatabase> {
  const bytes = Packed.of(known)
  forget(known)
  return bytes
}
