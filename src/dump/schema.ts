/** The facts of a schema that a dump is made from, and what follows from them: pure. */

import { lowerCase, upperCase } from './ascii.ts'
import type { Original } from './legible.ts'
import type { Encoding } from './literal.ts'

/** One row of `sqlite_schema`. */
export interface SchemaObject {
  type: 'table' | 'index' | 'view' | 'trigger'
  name: string
  tableName: string
  /** Null for an index that a UNIQUE or PRIMARY KEY clause made. */
  sql: string | null
  /** 0 for what has no pages: views, triggers, virtual tables. */
  rootPage: number
}

/** What a value is turned into when a row is inserted (sqlite.org/datatype3.html, section 3). */
export type Affinity = 'integer' | 'numeric' | 'real' | 'text' | 'none' | StrictType

/** The type that a column of a STRICT table enforces. */
export type StrictType = 'strict integer' | 'strict real' | 'strict text' | 'strict blob'

export interface Column {
  name: string
  type: string
  affinity: Affinity
  notNull: boolean
  /** Position in the primary key from 1, or 0. */
  keyPosition: number
  generated: 'virtual' | 'stored' | undefined
  /** A hidden column of a virtual table. */
  hidden: boolean
}

export interface PrimaryKeyColumn {
  name: string
  descending: boolean
  collation: string
}

/** A table with pages of its own. */
export interface Table {
  object: SchemaObject
  columns: Column[]
  withoutRowid: boolean
  strict: boolean
  /** The INTEGER PRIMARY KEY column that is the rowid. */
  rowidColumn: string | undefined
  /** Whether columns hide all names of a rowid that does not just count the rows from 1. */
  hidesRowid: boolean
  /** The key of a WITHOUT ROWID table, in its order. */
  primaryKey: PrimaryKeyColumn[]
  /** The index that a WITHOUT ROWID table is. */
  keyIndex: string | undefined
  /** The indexes of its UNIQUE and PRIMARY KEY clauses, in schema order. */
  autoIndexes: string[]
}

/** What the header of the database file says. */
export interface HeaderSettings {
  encoding: Encoding
  pageSize: number
  autoVacuum: number
  userVersion: number
  applicationId: number
}

export interface Schema {
  objects: SchemaObject[]
  tables: Table[]
  settings: HeaderSettings
  /** What the objects whose names or definitions are not legible are in the source. */
  originals: readonly Original[]
}

/** The affinity that a declared type gives (sqlite.org/datatype3.html, section 3.1; stricttables.html). */
export function columnAffinity(type: string, strict: boolean): Affinity {
  const name = upperCase(type)
  if (strict) {
    if (name === 'ANY') return 'none'
    return `strict ${name === 'INT' ? 'integer' : lowerCase(name)}` as StrictType
  }
  if (name.includes('INT')) return 'integer'
  if (/CHAR|CLOB|TEXT/.test(name)) return 'text'
  if (name === '' || name.includes('BLOB')) return 'none'
  return /REAL|FLOA|DOUB/.test(name) ? 'real' : 'numeric'
}

/** The name of a column in the stand-in of its table: its own, or one that leaves a hidden rowid the name `rowid`. */
export function standInName({ hidesRowid, columns }: Table, { name }: Column): string {
  if (!hidesRowid || lowerCase(name) !== 'rowid') return name
  const taken = new Set(columns.map((column) => lowerCase(column.name)))
  let free = name
  while (taken.has(lowerCase(free))) free += '_'
  return free
}

/** The name by which a table's rowid can be written, or undefined where columns hide all three. */
export function rowidName(columns: readonly Column[]): string | undefined {
  const taken = new Set(columns.map((column) => lowerCase(column.name)))
  return ['rowid', '_rowid_', 'oid'].find((name) => !taken.has(name))
}
