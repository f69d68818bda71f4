/** The text of the files around the rows: pure. Each statement is one entry of a list, so that a trial can run it. */

import { lowerCase } from './ascii.ts'
import { originalStatements } from './legible.ts'
import { identifier, textLiteral } from './literal.ts'
import { keyTerm, type Plan, type PlannedObject, type PlannedTable, termText } from './plan.ts'
import { type Column, type HeaderSettings, standInName, type Table } from './schema.ts'
import { tokens } from './tokens.ts'
import type { VirtualTable } from './virtual.ts'

/** The text of a list of statements. */
export function script(statements: readonly string[]): string {
  return statements.map((sql) => `${terminated(sql)}\n`).join('')
}

/** A statement with its semicolon, on a line of its own where the text ends in a line comment. */
export function terminated(sql: string): string {
  const last = [...tokens(sql)].at(-1)
  return /--[^\n]*$/.test(sql.slice(last?.end ?? 0)) ? `${sql}\n;` : `${sql};`
}

/** Settings that must precede the tables, and the start of the transaction. */
export function openStatements(settings: HeaderSettings): string[] {
  return [
    `PRAGMA encoding='${settings.encoding}'`,
    `PRAGMA page_size=${settings.pageSize}`,
    `PRAGMA auto_vacuum=${settings.autoVacuum}`,
    'PRAGMA foreign_keys=OFF',
    'PRAGMA ignore_check_constraints=ON',
    'BEGIN',
  ]
}

/** The tables that rows go into. */
export function tableStatements(plan: Plan, configs: ReadonlyMap<string, string[]>): string[] {
  return [
    ...encodingStatements(plan),
    ...plan.tables.map((planned) => (planned.form === 'plain' ? sqlOf(planned) : standIn(planned.table))),
    ...plan.virtuals
      .filter(({ mode }) => mode === 'rows')
      .flatMap((virtual) => virtualStatements(virtual, configs)),
  ]
}

/** SQLite notes an encoding in the file with the first table that is made. */
function encodingStatements({ settings, tables }: Plan): string[] {
  return tables.length === 0 && settings.encoding !== 'UTF-8'
    ? ['CREATE TABLE "encoding"("x")', 'DROP TABLE "encoding"']
    : []
}

function sqlOf(planned: PlannedTable): string {
  return planned.table.object.sql as string
}

/** A table that stores rows as the real one does, without types, constraints or generated columns. */
export function standIn(table: Table): string {
  const stored = table.columns.filter((column) => column.generated !== 'virtual')
  const columns = stored.map((column) => {
    const name = identifier(standInName(table, column))
    return column.name === table.rowidColumn ? `${name} INTEGER PRIMARY KEY` : name
  })
  const name = identifier(table.object.name)
  if (!table.withoutRowid) return `CREATE TABLE ${name}(${columns.join(',')})`
  const key = table.primaryKey.map(keyTerm).map(termText)
  return `CREATE TABLE ${name}(${columns.join(',')},PRIMARY KEY(${key.join(',')})) WITHOUT ROWID`
}

/** A virtual table that replay makes anew, with its settings. */
export function virtualStatements(virtual: VirtualTable, configs: ReadonlyMap<string, string[]>): string[] {
  const name = identifier(virtual.object.name)
  const config = configs.get(virtual.object.name) ?? []
  return [
    virtual.object.sql as string,
    ...config.map((entry) => `INSERT INTO ${name}(${name},"rank") VALUES(${entry})`),
    ...(virtual.mode === 'rebuild' ? [`INSERT INTO ${name}(${name}) VALUES('rebuild')`] : []),
  ]
}

/** What comes after the rows: real definitions for stand-ins, indexes, views, full-text indexes, triggers. */
export function schemaStatements(plan: Plan, configs: ReadonlyMap<string, string[]>): string[] {
  const patchedTables = plan.tables.filter(({ form }) => form === 'patched').map(({ table }) => table)
  const patchedIndexes = plan.indexes.filter(({ form }) => form === 'patched')
  const ofForm = (objects: PlannedObject[]): string[] =>
    objects.map(({ object, form }) => (form === 'plain' ? (object.sql as string) : schemaRow(object)))
  return [
    ...patching(patchedTables.flatMap(tablePatch)),
    ...patchedTables.map((table) => `REINDEX main.${identifier(table.object.name)}`),
    ...plan.indexes.filter(({ form }) => form === 'plain').map(({ object }) => object.sql as string),
    ...patching(patchedIndexes.flatMap((index) => indexPatch(index, plan))),
    ...patchedIndexes.map(({ object }) => `REINDEX main.${identifier(object.name)}`),
    ...inPatching(plan.views, ofForm(plan.views)),
    ...plan.virtuals
      .filter(({ mode }) => mode === 'rebuild')
      .flatMap((virtual) => virtualStatements(virtual, configs)),
    ...patching(plan.virtuals.filter(({ mode }) => mode === 'exact').map(({ object }) => schemaRow(object))),
    ...inPatching(plan.triggers, ofForm(plan.triggers)),
    ...patching(plan.rewordedShadows.map(setSql)),
    ...originalStatements(plan.originals),
  ]
}

const patchStart = 'PRAGMA writable_schema=ON'
const patchEnd = 'PRAGMA writable_schema=RESET'

function patching(statements: string[]): string[] {
  return statements.length > 0 ? [patchStart, ...statements, patchEnd] : []
}

function inPatching(objects: PlannedObject[], statements: string[]): string[] {
  return objects.some(({ form }) => form === 'patched') ? patching(statements) : statements
}

function tablePatch(table: Table): string[] {
  const name = table.object.name
  const stored = table.columns.find((column) => column.generated !== 'virtual') as Column
  const first = identifier(standInName(table, stored))
  return [
    // Under the name itself it could meet the index of the stand-in's own PRIMARY KEY, of which no row tells.
    ...table.autoIndexes.flatMap((index) => [
      `CREATE INDEX ${identifier(`${index}_`)} ON ${identifier(name)}(${first}) WHERE 0`,
      `UPDATE sqlite_schema SET name=${textLiteral(index)},sql=NULL WHERE type='index' AND name=${textLiteral(`${index}_`)}`,
    ]),
    setSql(table.object),
  ]
}

function indexPatch({ object }: PlannedObject, plan: Plan): string[] {
  const table = plan.tables.find((planned) => planned.table.object.name === object.tableName)?.table
  const column = table?.columns.find(({ generated }) => generated !== 'virtual')?.name ?? ''
  return [
    `CREATE INDEX ${identifier(object.name)} ON ${identifier(object.tableName)}(${identifier(column)}) WHERE 0`,
    setSql(object),
  ]
}

function setSql({ type, name, sql }: { type: string; name: string; sql: string | null }): string {
  return `UPDATE sqlite_schema SET sql=${textLiteral(sql ?? '')} WHERE type='${type}' AND name=${textLiteral(name)}`
}

function schemaRow({ type, name, tableName, sql }: PlannedObject['object']): string {
  const values = [`'${type}'`, textLiteral(name), textLiteral(tableName), '0', textLiteral(sql ?? '')]
  return `INSERT INTO sqlite_schema("type","name","tbl_name","rootpage","sql") VALUES(${values.join(',')})`
}

/** What follows the rows of system tables: header settings, the end of the transaction, the journal mode. */
export function closeStatements(settings: HeaderSettings, wal: boolean): string[] {
  return [
    `PRAGMA user_version=${settings.userVersion}`,
    `PRAGMA application_id=${settings.applicationId}`,
    'COMMIT',
    `PRAGMA journal_mode=${wal ? 'WAL' : 'DELETE'}`,
  ]
}

/** What makes the system tables and empties them, in the order of `plan.systemTables`. */
export function systemTableStatements(plan: Plan): string[] {
  const names = plan.systemTables.map(({ name }) => lowerCase(name))
  const statistics = plan.systemTables.filter(({ name }) => /^sqlite_stat[2-9]$/i.test(name))
  const made = [
    ...statistics.map(({ sql }) => (sql as string).replace(/^CREATE TABLE /i, 'CREATE TABLE IF NOT EXISTS ')),
    ...(plan.orphanSequence ? ['CREATE TABLE IF NOT EXISTS sqlite_sequence(name,seq)'] : []),
  ]
  return [
    ...(names.includes('sqlite_stat1') ? ['ANALYZE sqlite_schema'] : []),
    ...(names.includes('sqlite_stat1') && !names.includes('sqlite_stat4')
      ? ['DROP TABLE IF EXISTS sqlite_stat4']
      : []),
    ...(made.length > 0 ? [patchStart, ...made, 'PRAGMA writable_schema=OFF'] : []),
    ...(names.includes('sqlite_sequence') ? ['DELETE FROM sqlite_sequence'] : []),
  ]
}

/**
 * Whether a stored definition can be run from a script: stock sqlite3 drops a CR before a line feed and takes a
 * line of `/` or `go` alone, or before a comment, for a semicolon, and a comment that never ends would swallow what follows.
 */
export function isScriptable(sql: string): boolean {
  if (/[\r\0]/.test(sql) || /^\s*(?:\/|go)\s*(?:$|--|\/\*)/im.test(sql)) return false
  return [...tokens(sql)].every(({ kind }) => kind !== 'unclosed')
}
