/** The plan of a dump: which objects are dumped how, and where the rows of each row file come from. Pure. */

import type { Original } from './legible.ts'
import { identifier } from './literal.ts'
import type { Column, HeaderSettings, PrimaryKeyColumn, Schema, SchemaObject, Table } from './schema.ts'
import { rowidName, standInName } from './schema.ts'
import type { VirtualTable } from './virtual.ts'

/**
 * How an object comes back. `plain`: by its own text. `patched`: by a stand-in whose text in `sqlite_schema` is
 * replaced, where running the text would fail or change something.
 */
export type Form = 'plain' | 'patched'

/** Where the rows of one table's row files are read, and what their INSERT names. */
export interface RowSource {
  /** The table that the row files insert into. */
  table: string
  /** The table that is read: the same, or the content table of a full-text index. */
  readFrom: string
  /** Names in the INSERT, its key columns first, and the column that each is read from. */
  columns: { insert: string; read: string; column: Column }[]
  /** `integer`: one integer key, first. `literals`: the key columns, first. `ordinal`: the position of the row. */
  key: 'integer' | 'literals' | 'ordinal'
  keyColumns: number
  /** Whether rows can be taken in pages, each behind the last key of the one before; else in one pass. */
  pages: boolean
  /** What gives the key's order; empty where a scan of the table is the order. */
  orderBy: OrderTerm[]
  /** The index that a WITHOUT ROWID table is: without its name SQLite may read another one that covers all columns. */
  keyIndex?: string | undefined
  /** A rowid that no INSERT has room for: it is only kept where it counts the rows from 1. */
  countedRowid?: string | undefined
  /** The root page of the table where its rowid, the key, has no name by which it could be read. */
  hiddenRowid?: number | undefined
}

/** A term of ORDER BY, its parts as SQL. */
export interface OrderTerm {
  column: string
  /** ` COLLATE …`, or nothing. */
  collate: string
  descending: boolean
}

/** A column of a primary key as a term. */
export function keyTerm({ name, collation, descending }: PrimaryKeyColumn): OrderTerm {
  return { column: identifier(name), collate: ` COLLATE ${identifier(collation)}`, descending }
}

/** An integer key as a term. */
export function rowidTerm(name: string): OrderTerm {
  return { column: identifier(name), collate: '', descending: false }
}

/** A term as SQL. */
export function termText({ column, collate, descending }: OrderTerm): string {
  return `${column}${collate}${descending ? ' DESC' : ''}`
}

export interface PlannedTable {
  table: Table
  form: Form
  /** Absent where the settings leave the rows out. */
  rows: RowSource | undefined
}

export interface PlannedObject {
  object: SchemaObject
  form: Form
}

export interface Plan {
  settings: HeaderSettings
  /** Sorted by name, as are all lists but `triggers`. */
  tables: PlannedTable[]
  virtuals: VirtualTable[]
  indexes: PlannedObject[]
  views: PlannedObject[]
  /** In schema order: SQLite fires them in an order that follows from it. */
  triggers: PlannedObject[]
  /** The system tables that exist: `sqlite_sequence`, `sqlite_stat1`, `sqlite_stat4` … */
  systemTables: SchemaObject[]
  /** Tables of whose rows the statistics keep no samples. */
  unsampled: readonly string[]
  /** What the objects whose names or definitions are not legible are in the source. */
  originals: readonly Original[]
  /** Shadow tables whose definition in the source is not the one that replay makes: another SQLite has worded it. */
  rewordedShadows: SchemaObject[]
  /** Whether no CREATE TABLE of the dump makes `sqlite_sequence`, though it exists. */
  orphanSequence: boolean
}

/** Sorts objects by the bytes of their names. */
export function byName<T>(items: readonly T[], nameOf: (item: T) => string): T[] {
  return [...items].sort((a, b) => Buffer.compare(Buffer.from(nameOf(a)), Buffer.from(nameOf(b))))
}

/** A first plan of a schema, all forms `plain` but those that its facts alone decide. */
export function plan(schema: Schema, virtuals: VirtualTable[], excluded: ReadonlySet<string>): Plan {
  const shadows = new Set(virtuals.flatMap((virtual) => virtual.shadows))
  const ofType = (type: SchemaObject['type']): PlannedObject[] =>
    schema.objects
      .filter((object) => object.type === type && object.sql !== null && !shadows.has(object.tableName))
      .map((object) => ({ object, form: 'plain' }))
  return {
    settings: schema.settings,
    tables: byName(
      schema.tables.filter((table) => !shadows.has(table.object.name)),
      (table) => table.object.name,
    ).map((table) => ({
      table,
      form: table.hidesRowid || table.columns.some((column) => column.generated) ? 'patched' : 'plain',
      rows: excluded.has(table.object.name) ? undefined : tableRows(table),
    })),
    virtuals: byName(virtuals, (virtual) => virtual.object.name).map((virtual) =>
      excluded.has(virtual.object.name) ? { ...virtual, rows: undefined } : virtual,
    ),
    indexes: byName(ofType('index'), (item) => item.object.name),
    views: byName(ofType('view'), (item) => item.object.name),
    triggers: ofType('trigger'),
    systemTables: byName(
      schema.objects.filter((object) => object.type === 'table' && /^sqlite_/i.test(object.name)),
      (object) => object.name,
    ),
    unsampled: [],
    originals: schema.originals,
    rewordedShadows: [],
    orphanSequence: false,
  }
}

/** SQLite's limit for the values of one INSERT, as stock sqlite3 is built. */
export const mostColumns = 2000

/** Where the rows of an ordinary table come from. */
function tableRows(table: Table): RowSource {
  const stored = table.columns.filter((column) => column.generated !== 'virtual')
  const found = table.withoutRowid ? keyedRows(table, stored) : rowidRows(table, stored)
  return { table: table.object.name, readFrom: table.object.name, ...found }
}

type TableRows = Omit<RowSource, 'table' | 'readFrom'>

function keyedRows({ primaryKey, keyIndex }: Table, stored: readonly Column[]): TableRows {
  const names = new Set(primaryKey.map((key) => key.name))
  const keys = [...names].map((name) => stored.find((column) => column.name === name) as Column)
  const rest = stored.filter((column) => !names.has(column.name))
  return {
    columns: [...keys, ...rest].map(asIs),
    key: 'literals',
    keyColumns: keys.length,
    pages: primaryKey.length === keys.length && primaryKey.every(({ descending }) => !descending),
    orderBy: primaryKey.map(keyTerm),
    keyIndex,
  }
}

function rowidRows(table: Table, stored: readonly Column[]): TableRows {
  const { columns, rowidColumn, hidesRowid } = table
  if (hidesRowid) return hiddenRows(table, stored)
  const alias = stored.find((column) => column.name === rowidColumn)
  const name = alias?.name ?? rowidName(columns)
  if (name === undefined || (!alias && stored.length === mostColumns)) {
    const ordinal = { key: 'ordinal', keyColumns: 0, pages: false, orderBy: [], countedRowid: name } as const
    return { columns: stored.map(asIs), ...ordinal, orderBy: [] }
  }
  const key = alias ? asIs(alias) : { insert: name, read: name, column: integerKey(name) }
  const rest = stored.filter((column) => column !== alias)
  return {
    columns: [key, ...rest.map(asIs)],
    key: 'integer',
    keyColumns: 1,
    pages: true,
    orderBy: [rowidTerm(name)],
  }
}

function hiddenRows(table: Table, stored: readonly Column[]): TableRows {
  const key = { insert: 'rowid', read: 'rowid', column: integerKey('rowid') }
  const rest = stored.map((column) => ({ ...asIs(column), insert: standInName(table, column) }))
  return {
    columns: [key, ...rest],
    key: 'integer',
    keyColumns: 1,
    pages: false,
    orderBy: [],
    hiddenRowid: table.object.rootPage,
  }
}

function asIs(column: Column): RowSource['columns'][number] {
  return { insert: column.name, read: column.name, column }
}

/** The facts of a rowid that is written under a name of its own. */
export function integerKey(name: string): Column {
  return { ...freeColumn(name), affinity: 'integer', type: 'INTEGER' }
}

/** The facts of a column that takes any value as it is. */
export function freeColumn(name: string): Column {
  return {
    name,
    type: '',
    affinity: 'none',
    notNull: false,
    keyPosition: 0,
    generated: undefined,
    hidden: false,
  }
}
