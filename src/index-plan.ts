/** What becomes of indexes over tables that change, where no trigger keeps them: full-text indexes and the like. */

import type { Comparison } from './diff.ts'
import { lowerCase } from './dump/ascii.ts'
import { type Definitions, rebuildStatement, type VirtualIndex } from './dump/definitions.ts'
import { identifier } from './dump/literal.ts'
import { RowbackError } from './errors.ts'
import { tableFolder } from './find-table.ts'
import type { TableChange } from './row-changes.ts'
import { displayName } from './summary.ts'
import { isCommanding } from './terminal.ts'

export interface IndexPlan {
  /** What ends the script where an index is out of step with its content before rows change. */
  checks: string[]
  /** What builds indexes anew behind the rows. */
  rebuilds: string[]
}

/** What the dumps of both commits say of the database. */
export interface Sides {
  before: Definitions
  after: Definitions
}

/**
 * Plans what is done to the indexes of the older commit. Those that are the same in both need nothing. One that either
 * commit has as a rebuild is built anew; of another one the database is asked first whether that leaves it as it was, which
 * only FTS5 tells. Throws a `usage` error where one that a changed table feeds cannot be kept.
 */
export function planIndexes(
  comparison: Comparison,
  changes: readonly TableChange[],
  { before, after }: Sides,
): IndexPlan {
  const plan: IndexPlan = { checks: [], rebuilds: [] }
  const database = changes[0]?.database ?? ''
  const kept = changes.filter(({ whole }) => whole !== 'removed')
  const later = new Map(after.virtualIndexes().map((index) => [lowerCase(index.name), index]))
  for (const index of before.virtualIndexes()) {
    const newer = later.get(lowerCase(index.name))
    if (index.kind === 'own' || isSame(comparison, database, [index, newer])) continue
    const change = kept.find(({ table }) => feeds(before, table, index))
    // A view that only the older commit has may be over a table that goes.
    const isLost = !newer && !before.hasTable(index.content ?? '')
    if (!change || (index.mode === 'rebuilt' && isLost)) continue
    const isPlain = index.content !== undefined && (index.mode === 'rebuilt' || newer?.mode === 'rebuilt')
    const isChecked = index.kind === 'fts5' && change.whole === undefined
    const isUnfit = isPartial(comparison, database, [index, newer]) || before.isRenamed(index.name)
    if ((!isPlain && !isChecked) || isUnfit || isCommanding(index.name))
      throw unkept(change.table, index.name)
    if (!isPlain) plan.checks.push(...checkLines(index.name))
    plan.rebuilds.push(rebuildStatement(index.name))
  }
  return plan
}

/** Whether an index is over the content of a table, also through views, or triggers of the table write to it. */
function feeds(definitions: Definitions, table: string, { name, content }: VirtualIndex): boolean {
  if (lowerCase(content ?? '') === lowerCase(table)) return true
  if (definitions.reachedFrom(table).has(lowerCase(name))) return true
  return content !== undefined && definitions.reachedFrom(content).has(lowerCase(table))
}

/** Whether both commits keep an index by the tables behind it, and have the same rows in these. */
function isSame(
  { whole }: Comparison,
  database: string,
  [index, newer]: [VirtualIndex, VirtualIndex | undefined],
): boolean {
  if (index.mode !== 'exact' || newer?.mode !== 'exact') return false
  const isBehind = (table: string): boolean => lowerCase(table).startsWith(`${lowerCase(index.name)}_`)
  const folders = whole.map(({ manifest }) => {
    const found = manifest.databases.find(({ name }) => name === database)
    if (!found || found.excludedTables.some(isBehind)) return []
    return found.tables.flatMap(({ name }) => (isBehind(name) ? [tableFolder(database, name)] : []))
  })
  if (folders.some((list) => list.length === 0)) return false
  const all = [...new Set(folders.flat())]
  const paths = whole.flatMap(({ entries }) => [...entries.keys()])
  return !paths.some((path) => all.some((folder) => path.startsWith(folder)))
}

/** Whether an index is known to hold some rows of its content only, where that counts: a rebuild would add the others. */
function isPartial(
  { whole }: Comparison,
  database: string,
  [index, newer]: [VirtualIndex, VirtualIndex | undefined],
): boolean {
  if (newer?.mode === 'rebuilt') return false
  return [index, newer].some((side, at) => {
    const tables = whole[at]?.manifest.databases.find(({ name }) => name === database)?.tables ?? []
    const [indexed, held] = [`${side?.name}_docsize`, side?.content ?? ''].map(
      (wanted) => tables.find(({ name }) => lowerCase(name) === lowerCase(wanted))?.rows,
    )
    return indexed !== undefined && held !== undefined && indexed !== held
  })
}

/** sqlite.org/fts5.html, section 6.6: it changes nothing. */
function checkLines(index: string): string[] {
  const name = identifier(index)
  return [
    `-- it stops here if index ${displayName(index)} is out of step with its table: a rebuild would change what it finds`,
    `INSERT INTO ${name}(${name},"rank") VALUES('integrity-check',1);`,
  ]
}

function unkept(table: string, index: string): RowbackError {
  return new RowbackError(
    'usage',
    `diff --sql: table ${JSON.stringify(table)} feeds ${JSON.stringify(index)}, an index that cannot be built anew as it was`,
    {
      hint: 'rowback restore REV --in-place; or restore REV --table NAME, and delete and insert rows with triggers on',
    },
  )
}
