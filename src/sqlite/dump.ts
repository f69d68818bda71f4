/** Dumps an open database as the files of format 1; reads the database and writes nothing. */

import type { Database } from 'better-sqlite3'
import { lowerCase } from '../dump/ascii.ts'
import type { Original } from '../dump/legible.ts'
import { textLiteral } from '../dump/literal.ts'
import { freeColumn, type Plan, type RowSource } from '../dump/plan.ts'
import { rowFile, rowHeader, rowLiterals } from '../dump/rows.ts'
import {
  closeStatements,
  openStatements,
  schemaStatements,
  script,
  systemTableStatements,
  tableStatements,
} from '../dump/schema-sql.ts'
import { type DumpedTable, type DumpFile, dumpRows, type KeptFile, type TableWork } from './dump-rows.ts'
import { type DumpOptions, type PlannedDump, planDump, rowSources } from './plan-dump.ts'
import { renderer } from './render.ts'
import { settle } from './trial.ts'

/**
 * Yields the files of a dump, row files first, and returns its tables. `originals` is what
 * `makeLegible` has rewritten in `db`. Throws a `source` error where an object cannot be brought back; nothing is
 * approximated.
 */
export function* dumpDatabase(
  db: Database,
  options: DumpOptions,
  originals: readonly Original[] = [],
): Generator<DumpFile, DumpedTable[]> {
  const planned = planDump(db, options, originals)
  const works = rowSources(planned).map((source) => ({ source }))
  return yield* dumpPlanned(db, planned, works) as Generator<DumpFile, DumpedTable[]>
}

/** Yields the files of a planned dump and returns its tables. */
export function* dumpPlanned(
  db: Database,
  planned: PlannedDump,
  works: readonly TableWork[],
): Generator<DumpFile | KeptFile, DumpedTable[]> {
  const tables: DumpedTable[] = []
  for (const work of works) tables.push(yield* dumpRows(db, work, planned.plan.settings.encoding))
  yield* dumpScripts(db, planned, tables)
  return tables
}

/** The files around the rows of those tables. */
export function dumpScripts(db: Database, planned: PlannedDump, tables: readonly DumpedTable[]): DumpFile[] {
  patchIrregular(planned, tables)
  const { plan, configs } = planned
  return [
    scriptFile('10-open.sql', script(openStatements(plan.settings))),
    scriptFile('20-tables.sql', script(tableStatements(plan, configs))),
    scriptFile('40-schema.sql', script(schemaStatements(plan, configs))),
    scriptFile('90-close.sql', closeScript(db, plan)),
  ]
}

function scriptFile(path: string, text: string): DumpFile {
  return { path, content: Buffer.from(text), rows: 0 }
}

/** Patches the tables whose rows a plain INSERT would refuse or change, and settles the schema again. */
function patchIrregular(planned: PlannedDump, tables: readonly DumpedTable[]): void {
  const { plan, schema } = planned
  const irregular = new Set(tables.filter(({ isIrregular }) => isIrregular).map(({ name }) => name))
  const changed = plan.tables.filter(
    ({ table, form }) => form === 'plain' && irregular.has(table.object.name),
  )
  if (changed.length === 0) return
  for (const table of changed) table.form = 'patched'
  settle(plan, schema, planned)
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

/**
 * The rows of a system table, sorted by their text: their rowids mean nothing. But of rows of `sqlite_sequence` with one
 * name SQLite takes the first.
 */
function systemRows(db: Database, name: string, { settings, unsampled }: Plan): string {
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
  for (const { lines: text, ends } of renderer(db, source, settings.encoding)()) {
    ends.forEach((end, index) => {
      lines.push(text.subarray(index === 0 ? 0 : ends[index - 1], end))
    })
  }
  const kept = /^sqlite_stat[234]$/i.test(name) ? lines.filter(notOf(unsampled)) : lines
  if (kept.length === 0) return ''
  const header = Buffer.from(rowHeader(name, columns))
  const order = lowerCase(name) === 'sqlite_sequence' ? compareFirst : Buffer.compare
  return rowFile(header, kept.sort(order)).toString('utf8')
}

/** Whether a sample, a row that begins with the name of its table, is not of one of those tables. */
function notOf(tables: readonly string[]): (line: Buffer) => boolean {
  const names = new Set(tables.map((table) => lowerCase(textLiteral(table))))
  return (line) => !names.has(lowerCase(rowLiterals(line, 1, 1)[0] ?? ''))
}

/** Compares two rows by their first literal and the comma behind it. */
function compareFirst(a: Buffer, b: Buffer): number {
  const [first, second] = [a, b].map((line) => `${rowLiterals(line, 1, 1)[0]},`)
  return Buffer.compare(Buffer.from(first as string), Buffer.from(second as string))
}
