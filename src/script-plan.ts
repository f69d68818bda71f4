/** Which tables a script of row statements is about, and whether such statements do: reads the definitions of both sides. */

import type { CommitTree } from './commit-tree.ts'
import type { Comparison } from './diff.ts'
import { lowerCase } from './dump/ascii.ts'
import { Definitions, hasKeyword } from './dump/definitions.ts'
import { identifier } from './dump/literal.ts'
import { checkScript, dumpText } from './dump/script.ts'
import { RowbackError } from './errors.ts'
import type { Store } from './git/store.ts'
import { type IndexPlan, planIndexes, type Sides } from './index-plan.ts'
import type { TableChange } from './row-changes.ts'
import { displayName } from './summary.ts'
import { isCommanding } from './terminal.ts'

/** A table with statements about its rows. */
export interface PlannedTable {
  change: TableChange
  isDropped: boolean
  /** What takes the whole table away, or makes it before its rows come and finishes it behind them. */
  dropped: string[]
  created: string[]
  indexes: string[]
  /** Whether a changed row with these columns may meet another one in a unique index: then it goes, and comes anew. */
  mayCollide: (columns: readonly string[]) => boolean
}

export interface ScriptPlan {
  tables: PlannedTable[]
  indexes: IndexPlan
}

/** Plans the script. Throws a `usage` error where it would not make the newer rows of the older ones. */
export async function planScript(
  comparison: Comparison,
  changes: readonly TableChange[],
): Promise<ScriptPlan> {
  const databases = [...new Set(changes.map(({ database }) => database))]
  const [database] = databases
  if (database === undefined) return { tables: [], indexes: { checks: [], rebuilds: [] } }
  if (databases.length > 1)
    throw new RowbackError(
      'usage',
      `diff --sql: rows of ${databases.length} databases differ, and a script is for one: ${databases.map(displayName).join(', ')}`,
      { hint: 'add --table NAME --file PATH' },
    )
  const { store } = comparison
  const sides = {
    before: await readDefinitions(store, comparison.before, database),
    after: await readDefinitions(store, comparison.after, database),
  }
  const indexes = planIndexes(comparison, changes, sides)
  for (const change of changes) refuse(change.table, problemOf(change, sides))
  refuseTaken(changes, sides)
  return {
    tables: changes.map((change) => planned(change, sides)),
    indexes,
  }
}

async function readDefinitions(store: Store, { commit }: CommitTree, database: string): Promise<Definitions> {
  const statements = async (file: '20-tables.sql' | '40-schema.sql'): Promise<string[]> => {
    const path = `databases/${database}/${file}`
    const entry = (await store.listTree(commit.oid, path)).get(path)
    if (!entry) return []
    return checkScript(file, dumpText(await store.readBlob(entry.oid), path), path)
  }
  return new Definitions(await statements('20-tables.sql'), await statements('40-schema.sql'))
}

function refuse(table: string, problem: string | undefined): void {
  if (problem === undefined) return
  throw new RowbackError('usage', `diff --sql: table ${JSON.stringify(table)} ${problem}`, {
    hint: 'without --sql, diff tells every difference; with --table NAME it is about one table',
  })
}

/** Why statements about rows would not make the newer rows of the older ones; undefined where they do. */
function problemOf(change: TableChange, { before, after }: Sides): string | undefined {
  const { table, whole, key } = change
  if (isCommanding(table)) return unprintable
  if (before.isShadow(table) || after.isShadow(table))
    return 'is behind a virtual table, which no statement about its rows keeps as it is'
  if (before.isRenamed(table) || after.isRenamed(table))
    return 'has a name or a definition that no SQL can spell'
  const [old, now] = [before.tableStatement(table), after.tableStatement(table)]
  if ((whole === 'added' && old) || (whole === 'removed' && now))
    return 'has its rows in one of the commits only, as settings left them out'
  if (whole === 'removed') return undefined
  const used = whole === 'added' ? [after] : [before, after]
  if (used.some((side) => side.hasStandIn(table)))
    return 'has generated columns, rows that no INSERT brings into it as they are, or a definition that no script can run'
  if (whole === undefined && old !== now) return 'is defined in another way in the newer commit'
  if (whole === undefined && key === 'position') return 'has rows with no key to name them by'
  if (used.some((side) => side.hasPatchedIndex(table))) return 'has an index that may refuse rows'
  const kept = new Set(after.indexesOf(table))
  if (whole === undefined && before.indexesOf(table).some((sql) => !kept.has(sql)))
    return 'has an index that is not in the newer commit'
  return [now ?? '', ...(whole === 'added' ? kept : [])].some(isCommanding) ? unprintable : undefined
}

const unprintable =
  'has a control character, or one that turns the direction of text, in a name or its definition'

/** Throws where something else has the name of a table or index that would be made. */
function refuseTaken(changes: readonly TableChange[], { before, after }: Sides): void {
  const ofKind = (kind: TableChange['whole']): string[] =>
    changes.filter(({ whole }) => whole === kind).map(({ table }) => table)
  const taken = before.otherNames(ofKind('removed'))
  for (const table of ofKind('added'))
    if ([lowerCase(table), ...after.indexNamesOf(table)].some((name) => taken.has(name)))
      refuse(table, 'or an index of it has the name of something else in the older commit')
}

function planned(change: TableChange, { before, after }: Sides): PlannedTable {
  const { table, whole, key } = change
  const isNew = whole === 'added'
  const create = after.tableStatement(table) ?? ''
  const isUnique =
    hasKeyword(create, 'UNIQUE') || before.indexesOf(table).some((sql) => hasKeyword(sql, 'UNIQUE'))
  const hasKey = hasKeyword(create, 'PRIMARY')
  return {
    change,
    isDropped: whole === 'removed',
    dropped: whole === 'removed' ? [`DROP TABLE ${identifier(table)};`] : [],
    created: isNew ? [create, ...after.settingsOf(table)] : [],
    indexes: isNew ? after.indexesOf(table) : [],
    mayCollide: ([first = '']) => isUnique || (hasKey && key === 'rowid' && isRowid(first)),
  }
}

/** Whether a key may be a rowid that is no column: then a primary key is a unique index beside it. */
function isRowid(column: string): boolean {
  return ['rowid', '_rowid_', 'oid'].includes(lowerCase(column))
}
