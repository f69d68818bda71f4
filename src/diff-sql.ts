/** The flow of `diff --sql`: a script for the sqlite3 shell that makes the rows of one commit those of another. */

import { type Comparison, changedAssets, changedScripts, comparing, type DiffOptions } from './diff.ts'
import { keyLength } from './dump/manifest.ts'
import { RowbackError } from './errors.ts'
import type { RowChange } from './row-change.ts'
import { type TableChange, tableChanges } from './row-changes.ts'
import { deleteStatement, insertStatement, updateStatement } from './row-statements.ts'
import { type PlannedTable, planScript } from './script-plan.ts'
import { displayName } from './summary.ts'

/**
 * Yields the lines of the script; scripts of the dump and assets that differ are comments. Throws a `usage` error before
 * the first line where statements about rows would not give the rows of the newer commit.
 */
export function diffSql(options: DiffOptions): AsyncGenerator<string> {
  return comparing(options, lines)
}

async function* lines(comparison: Comparison): AsyncGenerator<string> {
  const { store, before, after } = comparison
  const changes = [...tableChanges(before, after, (oid) => store.readBlob(oid))]
  const { tables, indexes } = await planScript(comparison, changes)
  for (const path of changedScripts(before, after)) yield `-- script ${displayName(path)} differs`
  if (tables.length > 0) {
    yield* opening
    yield* indexes.checks
    // What is gone may have a name that what comes has.
    for (const { dropped } of tables) yield* dropped
    for (const table of tables) yield* rowLines(table)
    yield* indexes.rebuilds
    yield 'COMMIT;'
  }
  for (const { path } of await changedAssets(store, before, after))
    yield `-- asset ${displayName(path)} differs`
}

/** Triggers and foreign keys would change rows beside those that are named, and a check may refuse what is there. */
const opening = [
  '-- for the sqlite3 shell: it stops at the first error, and nothing is changed then',
  '.bail on',
  '.dbconfig enable_trigger off',
  'PRAGMA foreign_keys=OFF;',
  'PRAGMA ignore_check_constraints=ON;',
  'BEGIN;',
]

/** First what goes, or a row that comes could meet it in a unique index. */
async function* rowLines(planned: PlannedTable): AsyncGenerator<string> {
  const { change, created, indexes, isDropped } = planned
  yield `-- table ${displayName(change.database)} ${displayName(change.table)}`
  if (isDropped) return
  yield* created
  if (change.whole === undefined) yield* eachRow(change, (row) => goingStatement(planned, row))
  yield* eachRow(change, (row) => comingStatement(planned, row))
  yield* indexes
}

async function* eachRow(
  { changes }: TableChange,
  statement: (row: RowChange) => string | undefined,
): AsyncGenerator<string> {
  for await (const list of changes)
    for (const row of list) {
      const sql = statement(row)
      if (sql !== undefined) yield sql
    }
}

function goingStatement(planned: PlannedTable, row: RowChange): string | undefined {
  const { table, key } = planned.change
  const { before, columns } = row
  if (!before || (row.after && !planned.mayCollide(columns))) return undefined
  return deleteStatement({ table, columns, values: before }, keyLength(key))
}

function comingStatement(planned: PlannedTable, row: RowChange): string | undefined {
  const { table, key } = planned.change
  const { before, after, columns, columnsBefore } = row
  if (columnsBefore)
    throw new RowbackError(
      'dump',
      `read dump: the rows of table ${JSON.stringify(table)} name other columns on the two sides, which define it alike`,
    )
  if (!after) return undefined
  if (!before || planned.mayCollide(columns)) return insertStatement({ table, columns, values: after })
  return updateStatement({ table, columns, values: before }, keyLength(key), after)
}
