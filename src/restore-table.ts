/** The flow that restores one table alone: it reads the scripts of its database and the rows of that table. */

import { resolve } from 'node:path'
import { type CommitTree, pathInSource } from './commit-tree.ts'
import type { ManifestDatabase } from './dump/manifest.ts'
import { indexWithoutRows } from './dump/one-table.ts'
import { checkScript, dumpText } from './dump/script.ts'
import { RowbackError } from './errors.ts'
import { askedDatabases, databaseOfTable, type TableName, tableFolder } from './find-table.ts'
import type { Store } from './git/store.ts'
import { type ReplayJob, replayJob } from './replay-job.ts'
import { withReplayProcess } from './replay-process.ts'
import { count, makingFile, type RestoreOptions, type RestoreResult, withCommit } from './restore.ts'
import { refuseExisting } from './restore-target.ts'

export interface RestoreTableOptions extends RestoreOptions, TableName {
  /** The new database, which must not exist. */
  output: string
}

/**
 * Restores one table of a commit as a database of its own: its definition, rows and indexes, its entry in
 * `sqlite_sequence` and the settings of the header; no views, triggers or statistics. Throws a `usage` error where there
 * is no such table, or one that is nothing without others, other RowbackErrors as a restore does.
 */
export async function restoreTable(options: RestoreTableOptions): Promise<RestoreResult> {
  const { rev, table } = options
  const output = resolve(options.output)
  return withCommit(options, async (store, tree, phases) => {
    await refuseExisting(output)
    const database = await databaseWith(store, tree, options)
    const counts = { databases: 0, rows: 0, files: 0, bytes: 0 }
    await makingFile(output, rev, async (file) => {
      phases.begin('replay')
      const job = tableJob(store, tree, database, { table, target: file, extensions: options.extensions })
      await withReplayProcess((process) => process.run(job, count(counts, phases)))
      refuseOtherCount(options, database, counts.rows)
    })
    return { commit: tree.commit.oid, target: output, ...counts, databases: 1, table, withoutContent: [] }
  })
}

/** The database that has the table. */
async function databaseWith(
  store: Store,
  tree: CommitTree,
  options: RestoreTableOptions,
): Promise<ManifestDatabase> {
  const what = `restore ${options.rev}`
  try {
    const found = databaseOfTable([tree], options, what, '; nothing was written')
    return tree.manifest.databases.find(({ name }) => name === found) as ManifestDatabase
  } catch (error) {
    await refuseDependent(store, tree, options)
    throw error
  }
}

/** Throws where the name is that of an index which holds no rows of its own. */
async function refuseDependent(
  store: Store,
  tree: CommitTree,
  { rev, table, file }: RestoreTableOptions,
): Promise<void> {
  const path = '40-schema.sql'
  const databases = tree.manifest.databases.map((database) => ({
    name: database.name,
    path: pathInSource(tree, database),
  }))
  for (const { name } of askedDatabases(databases, { file })) {
    const script = tree.entries.get(`databases/${name}/${path}`)
    if (script === undefined) continue
    const text = dumpText(await store.readBlob(script.oid), path)
    const found = indexWithoutRows(checkScript(path, text, path), table)
    if (found === undefined) continue
    const why =
      found === 'exact'
        ? 'what it holds is in other tables, which are kept as they are'
        : 'it is an index over another table'
    throw new RowbackError(
      'usage',
      `restore ${rev}: table ${JSON.stringify(table)} cannot be restored alone, as ${why}; nothing was written`,
      { hint: `rowback restore ${rev} --file PATH --output FILE, for the whole database` },
    )
  }
}

function tableJob(
  store: Store,
  tree: CommitTree,
  database: ManifestDatabase,
  {
    table,
    target,
    extensions,
  }: Pick<ReplayJob, 'target'> & { table: string; extensions: RestoreOptions['extensions'] },
): ReplayJob {
  const rows = tableFolder(database.name, table).slice(`databases/${database.name}/`.length)
  const job = replayJob(store, tree, database, target, extensions)
  const files = job.files.filter(({ path }) => !path.startsWith('30-rows/') || path.startsWith(rows))
  return { ...job, files, table }
}

/** What a proof compares of a whole database, for a table that is restored without one. */
function refuseOtherCount(
  { rev, table }: RestoreTableOptions,
  { tables }: ManifestDatabase,
  found: number,
): void {
  const expected = tables.find(({ name }) => name === table)?.rows ?? 0
  if (found === expected) return
  throw new RowbackError(
    'dump',
    `restore ${rev}: table ${JSON.stringify(table)} has ${found} rows where the manifest says ${expected}; nothing was written`,
    { hint: `rowback verify ${rev}` },
  )
}
