/** Dumps an open database as the files of format 1; reads the database and writes nothing. */

import type { Database } from 'better-sqlite3'
import { Cutter, integerKeys, type Keys, literalKeys, positionKeys } from '../dump/cut.ts'
import { identifier, literal, type Value } from '../dump/literal.ts'
import type { TableKey } from '../dump/manifest.ts'
import { pathPart } from '../dump/names.ts'
import { freeColumn, type Plan, plan, type RowSource } from '../dump/plan.ts'
import { rowFile, rowHeader } from '../dump/rows.ts'
import type { Schema } from '../dump/schema.ts'
import {
  closeStatements,
  openStatements,
  schemaStatements,
  script,
  systemTableStatements,
  tableStatements,
} from '../dump/schema-sql.ts'
import { planVirtual, type VirtualTable } from '../dump/virtual.ts'
import { RowbackError } from '../errors.ts'
import { renderRows } from './render.ts'
import { isVirtual, readSchema, readVirtualColumns } from './schema.ts'
import { settle, VirtualFailed } from './trial.ts'

/** What the settings say about a dump. */
export interface DumpOptions {
  /** Tables whose rows are left out. */
  excludeTables: readonly string[]
  /** `exact` dumps the shadow tables of full-text indexes and R-trees instead of their content. */
  fullText: 'logical' | 'exact'
}

/** One file of the dump; the path is relative to the database's folder. */
export interface DumpFile {
  path: string
  content: Buffer
  /** How many rows it holds. */
  rows: number
}

/** How many rows of a table the dump holds, and what identifies one. */
export interface TableRows {
  name: string
  rows: number
  key: TableKey
}

/**
 * Yields the files of a dump, row files first, and returns the row count of each table by name. Throws a
 * `source` error where an object cannot be brought back; nothing is approximated.
 */
export function* dumpDatabase(db: Database, options: DumpOptions): Generator<DumpFile, TableRows[]> {
  const schema = readSchema(db)
  const configs = new Map<string, string[]>()
  const planned = settledPlan(db, schema, options, configs)
  const counts: TableRows[] = []
  const irregular = new Set<string>()
  for (const source of rowSources(planned)) {
    const found = yield* dumpRows(db, source, schema)
    counts.push({ name: source.table, rows: found.rows, key: tableKey(source) })
    if (found.irregular > 0) irregular.add(source.table)
  }
  patchIrregular(planned, schema, configs, irregular)
  yield scriptFile('10-open.sql', script(openStatements(planned.settings)))
  yield scriptFile('20-tables.sql', script(tableStatements(planned, configs)))
  yield scriptFile('40-schema.sql', script(schemaStatements(planned, configs)))
  yield scriptFile('90-close.sql', closeScript(db, planned))
  return counts.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))
}

function tableKey({ key, keyColumns, columns }: RowSource): TableKey {
  if (key === 'integer') return 'rowid'
  return key === 'ordinal' ? 'position' : columns.slice(0, keyColumns).map(({ insert }) => insert)
}

function scriptFile(path: string, text: string): DumpFile {
  return { path, content: Buffer.from(text), rows: 0 }
}

/** Plans the dump and settles its forms; a virtual table that cannot be made anew is planned as exact. */
function settledPlan(
  db: Database,
  schema: Schema,
  options: DumpOptions,
  configs: Map<string, string[]>,
): Plan {
  const exact = new Set<string>()
  for (;;) {
    const virtuals = planVirtuals(db, schema, options, exact)
    for (const virtual of virtuals)
      if (virtual.config) configs.set(virtual.object.name, readConfig(db, virtual.config))
    const planned = plan(schema, virtuals, new Set(options.excludeTables))
    try {
      settle(planned, schema, configs)
      return planned
    } catch (error) {
      if (!(error instanceof VirtualFailed)) throw error
      exact.add(error.table)
    }
  }
}

function planVirtuals(
  db: Database,
  schema: Schema,
  options: DumpOptions,
  exact: ReadonlySet<string>,
): VirtualTable[] {
  return schema.objects.filter(isVirtual).map((object) => {
    const columns = readVirtualColumns(db, object.name)
    const facts = { columns, exact: options.fullText === 'exact' || exact.has(object.name) }
    const virtual = planVirtual(object, schema, facts)
    return isInStep(db, virtual) && hasKnownConfig(db, virtual)
      ? virtual
      : planVirtual(object, schema, { ...facts, exact: true })
  })
}

/** Whether an index over another table's content holds just that table's rows, so that a rebuild is the same. */
function isInStep(db: Database, { object, content }: VirtualTable): boolean {
  if (!content) return true
  const indexed = `main.${identifier(`${object.name}_docsize`)}`
  const id = object.sql && /using\s+["'`[]?fts5/i.test(object.sql) ? 'id' : 'docid'
  const stored = `main.${identifier(content.table)}`
  const rowid = content.rowid === 'rowid' ? 'rowid' : identifier(content.rowid)
  const same = `SELECT (SELECT count(*) FROM ${indexed}) = (SELECT count(*) FROM ${stored})
    AND NOT EXISTS (SELECT 1 FROM ${indexed} AS i WHERE NOT EXISTS (SELECT 1 FROM ${stored} AS c WHERE c.${rowid} = i.${id}))`
  try {
    return db.prepare(same).pluck().get() === 1
  } catch {
    return false
  }
}

/** Settings of an FTS5 index that `INSERT INTO t(t, rank)` sets again; `version` 4 is what a new index has. */
const knownConfig = new Set([
  'automerge',
  'crisismerge',
  'hashsize',
  'pgsz',
  'rank',
  'usermerge',
  'deletemerge',
])

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

function rowSources(planned: Plan): RowSource[] {
  return [...planned.tables, ...planned.virtuals].flatMap(({ rows }) => (rows ? [rows] : []))
}

/** Yields the row files of one table. */
function* dumpRows(
  db: Database,
  source: RowSource,
  schema: Schema,
): Generator<DumpFile, { rows: number; irregular: number }> {
  const header = Buffer.from(
    rowHeader(
      source.table,
      source.columns.map((column) => column.insert),
    ),
  )
  const folder = `30-rows/${pathPart(source.table)}`
  const cutter = new Cutter()
  const toFile = (chunk: { path: string; lines: Buffer; rows: number }): DumpFile => ({
    path: `${folder}/${chunk.path}.sql`,
    content: rowFile(header, chunk.lines),
    rows: chunk.rows,
  })
  const total = { rows: 0, irregular: 0 }
  if (source.countedRowid !== undefined) refuseUncounted(db, source.readFrom, source.countedRowid)
  for (const batch of renderRows(db, source, schema.settings.encoding)) {
    for (const chunk of cutter.push(batch.lines, batch.ends, keysOf(source, total.rows))) yield toFile(chunk)
    total.rows += batch.ends.length
    total.irregular += batch.irregular
  }
  for (const chunk of cutter.end()) yield toFile(chunk)
  return total
}

function refuseUncounted(db: Database, table: string, rowid: string): void {
  const counted = `SELECT ifnull(min(${rowid})=1 AND max(${rowid})=count(*), 1) FROM main.${identifier(table)}`
  if (db.prepare(counted).pluck().get() === 1) return
  throw new RowbackError(
    'source',
    `dump table ${JSON.stringify(table)}: its 2000 columns leave no room for rowids that have gaps; nothing was committed`,
  )
}

/** How the rows behind the first `before` are identified. */
function keysOf({ key, keyColumns }: RowSource, before: number): Keys {
  if (key === 'integer') return integerKeys
  return key === 'literals' ? literalKeys(keyColumns) : positionKeys(before)
}

/** Patches the tables whose rows a plain INSERT would refuse or change, and settles the schema again. */
function patchIrregular(
  planned: Plan,
  schema: Schema,
  configs: ReadonlyMap<string, string[]>,
  irregular: ReadonlySet<string>,
): void {
  const changed = planned.tables.filter(
    ({ table, form }) => form === 'plain' && irregular.has(table.object.name),
  )
  if (changed.length === 0) return
  for (const table of changed) table.form = 'patched'
  settle(planned, schema, configs)
}

/** System tables and header settings. */
function closeScript(db: Database, planned: Plan): string {
  const wal = db.pragma('journal_mode', { simple: true }) === 'wal'
  return [
    script(systemTableStatements(planned)),
    ...planned.systemTables.map(({ name }) => systemRows(db, name, planned)),
    script(closeStatements(planned.settings, wal)),
  ].join('')
}

/** The rows of a system table, sorted by their text: their rowids mean nothing. */
function systemRows(db: Database, name: string, { settings }: Plan): string {
  const columns = (db.pragma(`main.table_info('${name}')`) as { name: string }[]).map((column) => column.name)
  const source: RowSource = {
    table: name,
    readFrom: name,
    columns: columns.map((column) => ({ insert: column, read: column, column: freeColumn(column) })),
    key: 'literals',
    keyColumns: 0,
    pages: false,
    orderBy: [],
  }
  const lines: Buffer[] = []
  for (const { lines: text, ends } of renderRows(db, source, settings.encoding)) {
    ends.forEach((end, index) => {
      lines.push(text.subarray(index === 0 ? 0 : ends[index - 1], end))
    })
  }
  if (lines.length === 0) return ''
  const header = Buffer.from(rowHeader(name, columns))
  return rowFile(header, Buffer.concat(lines.sort(Buffer.compare))).toString('utf8')
}
