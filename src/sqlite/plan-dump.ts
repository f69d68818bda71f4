/** Plans the dump of an open database: what its schema and its virtual tables ask for. */

import type { Database } from 'better-sqlite3'
import { hasStandIns, type Original } from '../dump/legible.ts'
import { identifier, literal, type Value } from '../dump/literal.ts'
import { type Plan, plan, type RowSource } from '../dump/plan.ts'
import type { Schema } from '../dump/schema.ts'
import { moduleOverContent, planVirtual, type VirtualTable } from '../dump/virtual.ts'
import { matchesContent } from './foreign-content.ts'
import { cannotLeaveOut, planLeftOut, virtualsLeftOut } from './left-out.ts'
import { isVirtual, readSchema, readVirtualColumns } from './schema.ts'
import { settle, VirtualFailed } from './trial.ts'

/** What the settings say about a dump. */
export interface DumpOptions {
  /** Tables whose rows are left out. */
  excludeTables: readonly string[]
  /** In a dump that is made again for a proof: the tables that the first one has rows of. */
  dumped?: ReadonlySet<string>
  /** `exact` dumps the shadow tables of full-text indexes and R-trees instead of their content. */
  fullText: 'logical' | 'exact'
  /** Absolute paths of extensions that the schema needs. */
  extensions: readonly string[]
}

/** A plan whose forms are settled, and what it was made from. */
export interface PlannedDump {
  schema: Schema
  plan: Plan
  /** Settings of full-text indexes by table, as the values of an INSERT. */
  configs: ReadonlyMap<string, string[]>
  extensions: readonly string[]
}

/** Throws a `source` error where an object cannot be brought back. */
export function planDump(
  db: Database,
  options: DumpOptions,
  originals: readonly Original[] = [],
): PlannedDump {
  const schema = readSchema(db, originals)
  const configs = new Map<string, string[]>()
  const { extensions } = options
  return { schema, plan: settledPlan(db, schema, options, configs), configs, extensions }
}

/** Where all rows of a dump come from. */
export function rowSources({ plan: planned }: PlannedDump): RowSource[] {
  return [...planned.tables, ...planned.virtuals].flatMap(({ rows }) => (rows ? [rows] : []))
}

/** Plans the dump and settles its forms; a virtual table that cannot be made anew is planned as exact. */
function settledPlan(
  db: Database,
  schema: Schema,
  options: DumpOptions,
  configs: Map<string, string[]>,
): Plan {
  const leftOut = virtualsLeftOut(db, schema, options)
  const exact = new Set<string>()
  for (;;) {
    const virtuals = planVirtuals(db, schema, options, { leftOut, exact })
    for (const virtual of virtuals)
      if (virtual.config) configs.set(virtual.object.name, readConfig(db, virtual.config))
    const planned = plan(schema, virtuals, new Set(options.excludeTables))
    // What a dump has that is made again is what the first one has.
    if (!options.dumped) planned.unsampled = [...options.excludeTables, ...[...leftOut.values()].flat()]
    try {
      settle(planned, schema, { configs, extensions: options.extensions })
      return planned
    } catch (error) {
      if (!(error instanceof VirtualFailed)) throw error
      const { table, cause = error } = error
      if (exact.has(table)) throw cannotLeaveOut(table, cause)
      exact.add(table)
    }
  }
}

function planVirtuals(
  db: Database,
  schema: Schema,
  options: DumpOptions,
  { leftOut, exact }: { leftOut: ReadonlyMap<string, string[]>; exact: ReadonlySet<string> },
): VirtualTable[] {
  return schema.objects.filter(isVirtual).map((object) => {
    const shadows = leftOut.get(object.name)
    if (shadows) {
      const empty = planLeftOut(db, schema, object, { shadows, isFailed: exact.has(object.name) })
      return hasKnownConfig(db, empty) ? empty : { ...empty, config: undefined }
    }
    const columns = readVirtualColumns(db, object.name)
    const facts = { columns, exact: options.fullText === 'exact' || exact.has(object.name) }
    const virtual = planVirtual(object, schema, facts)
    const isKept = hasKnownConfig(db, virtual) && !hasAutomerge(db, virtual)
    return isLegibleIn(schema, virtual) && isInStep(db, virtual) && isKept
      ? virtual
      : planVirtual(object, schema, { ...facts, exact: true })
  })
}

/** Whether no stand-in changes what an index is made of: the text of its own definition, or of a view it reads. */
function isLegibleIn({ originals }: Schema, { object, content }: VirtualTable): boolean {
  return originals.length === 0 || (!hasStandIns(object.sql ?? '') && !content)
}

/** Whether an index over another table's content holds just what that table does, so that a rebuild is the same. */
function isInStep(db: Database, { object, content }: VirtualTable): boolean {
  if (!content) return true
  const indexed = `main.${identifier(`${object.name}_docsize`)}`
  const module = moduleOverContent(object.sql ?? '')
  const id = module === 'fts5' ? 'id' : 'docid'
  const stored = `main.${identifier(content.table)}`
  const rowid = content.rowid === 'rowid' ? 'rowid' : identifier(content.rowid)
  const same = `SELECT (SELECT count(*) FROM ${indexed}) = (SELECT count(*) FROM ${stored})
    AND NOT EXISTS (SELECT 1 FROM ${indexed} AS i WHERE NOT EXISTS (SELECT 1 FROM ${stored} AS c WHERE c.${rowid} = i.${id}))`
  try {
    return db.prepare(same).pluck().get() === 1 && matchesContent(db, object.name, module)
  } catch {
    return false
  }
}

/** The setting `automerge` of an FTS4 index stands in its table of statistics, and no other command than its own sets it. */
function hasAutomerge(db: Database, { shadows }: VirtualTable): boolean {
  const stat = shadows.find((name) => name.endsWith('_stat'))
  if (stat === undefined) return false
  try {
    return db.prepare(`SELECT 1 FROM main.${identifier(stat)} WHERE id=2`).get() !== undefined
  } catch {
    return false
  }
}

/** Settings of an FTS5 index that `INSERT INTO t(t, rank)` sets again; `version` 4 is what a new index has. */
const knownConfig = new Set(['automerge', 'crisismerge', 'hashsize', 'pgsz', 'rank', 'usermerge'])

function hasKnownConfig(db: Database, { config }: VirtualTable): boolean {
  if (!config) return true
  const rows = db
    .prepare(`SELECT k, v FROM main.${identifier(config)}`)
    .raw()
    .all() as [string, unknown][]
  return rows.every(([key, value]) =>
    key === 'version' ? value === 4 : knownConfig.has(key) && /^(?:-?\d+|[ -~]*)$/.test(String(value)),
  )
}

function readConfig(db: Database, config: string): string[] {
  const rows = db
    .prepare(`SELECT k, v FROM main.${identifier(config)} WHERE k<>'version' ORDER BY k`)
    .raw()
    .safeIntegers()
    .all() as [string, string | bigint][]
  return rows.map(([key, value]) => {
    const setting: Value = typeof value === 'string' ? { text: Buffer.from(value) } : value
    return `'${key}',${literal(setting, 'UTF-8')}`
  })
}
