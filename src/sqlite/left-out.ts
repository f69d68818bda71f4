/**
 * Virtual tables whose rows a backup leaves out: made anew, without rows, whatever is known of their module. The tables that
 * it keeps them in are no tables of the dump then.
 */

import type { Database } from 'better-sqlite3'
import { lowerCase } from '../dump/ascii.ts'
import type { Schema, SchemaObject } from '../dump/schema.ts'
import { nameOf, tokens } from '../dump/tokens.ts'
import { contentTable, hasObjectsOfUser, planVirtual, type VirtualTable } from '../dump/virtual.ts'
import { errorText, RowbackError } from '../errors.ts'
import type { DumpOptions } from './plan-dump.ts'
import { isVirtual, readVirtualColumns } from './schema.ts'

/**
 * The virtual tables that the settings leave out, and full-text indexes over content that they leave out, each with the
 * shadow tables that its module keeps rows in. Not those whose shadow tables are left out by name, nor in a dump that is made
 * again those of which the first one has rows: earlier versions kept them.
 */
export function virtualsLeftOut(
  db: Database,
  schema: Schema,
  { excludeTables, dumped = new Set() }: DumpOptions,
): Map<string, string[]> {
  const excluded = new Set(excludeTables.map(lowerCase))
  if (excluded.size === 0) return new Map()
  const virtuals = schema.objects.filter(isVirtual)
  const wanted = virtuals.filter(
    ({ name, sql }) =>
      excluded.has(lowerCase(name)) || readsAny(schema, contentTable(sql ?? '') ?? '', excluded),
  )
  const shadows = wanted.map(({ name }) => [name, shadowsOf(db, schema, virtuals, name)] as const)
  return new Map(
    shadows.filter(
      ([, names]) =>
        names.some((name) => !excluded.has(lowerCase(name))) && !names.some((name) => dumped.has(name)),
    ),
  )
}

/** Whether a table is among those, or a view names one of them. */
function readsAny({ objects }: Schema, name: string, excluded: ReadonlySet<string>): boolean {
  const views = new Map(
    objects.flatMap(({ type, name, sql }) => (type === 'view' && sql ? [[lowerCase(name), sql]] : [])),
  )
  const pending = [lowerCase(name)]
  for (const next of pending) {
    if (excluded.has(next)) return true
    const view = views.get(next)
    views.delete(next)
    if (view !== undefined) pending.push(...[...tokens(view)].map((token) => lowerCase(nameOf(token) ?? '')))
  }
  return false
}

/**
 * The tables that the module of a virtual table has made for it; of a module that is not loaded, all with a name that begins
 * as theirs do.
 */
function shadowsOf(
  db: Database,
  { tables }: Schema,
  virtuals: readonly SchemaObject[],
  of: string,
): string[] {
  const isLoaded = readVirtualColumns(db, of) !== undefined
  const kinds = db.pragma('main.table_list') as { name: string; type: string }[]
  const shadows = new Set(kinds.filter(({ type }) => type === 'shadow').map(({ name }) => name))
  const owner = (name: string): string | undefined =>
    virtuals
      .map((virtual) => virtual.name)
      .filter((virtual) => lowerCase(name).startsWith(lowerCase(`${virtual}_`)))
      .sort((a, b) => b.length - a.length)[0]
  return tables
    .map(({ object }) => object.name)
    .filter((name) => owner(name) === of && (!isLoaded || shadows.has(name)))
}

/** How such a table is dumped: nothing of its rows decides, as it has none when the dump is made again. */
export function planLeftOut(
  db: Database,
  schema: Schema,
  object: SchemaObject,
  { shadows, isFailed }: { shadows: string[]; isFailed: boolean },
): VirtualTable {
  const facts = { columns: readVirtualColumns(db, object.name), exact: isFailed }
  const planned = planVirtual(object, schema, facts)
  if (planned.mode !== 'exact') return { ...planned, rows: undefined }
  const empty: VirtualTable = { ...planned, mode: 'rows', shadows }
  if (hasObjectsOfUser(empty, schema))
    throw cannotLeaveOut(object.name, 'a table that it keeps them in has an index or a trigger')
  return empty
}

/** The error for rows that cannot be left out. */
export function cannotLeaveOut(table: string, cause: unknown): RowbackError {
  return new RowbackError(
    'source',
    `dump table ${JSON.stringify(table)}: its rows cannot be left out: ${errorText(cause)}; nothing was committed`,
    { cause, hint: 'name the extension that it needs in "extensions", or take it out of "exclude-tables"' },
  )
}
