/** What the scripts of a dump say of its tables, to tell whether statements about single rows fit: pure. */

import { lowerCase } from './ascii.ts'
import { identifier, textLiteral } from './literal.ts'
import { indexIn, indexWithoutRows } from './one-table.ts'
import { definedName } from './script.ts'
import { isWord, tokens } from './tokens.ts'
import { contentTable } from './virtual.ts'

/** The definitions of one dump. */
export class Definitions {
  private readonly tables: readonly string[]
  private readonly schema: readonly string[]
  private readonly indexes: { index: string; table: string; sql: string }[]

  /** The statements of `20-tables.sql` and `40-schema.sql`, which have passed the grammar. */
  constructor(tables: readonly string[], schema: readonly string[]) {
    this.tables = tables
    this.schema = schema
    this.indexes = schema.flatMap((sql) => {
      const names = indexIn(sql)
      return names ? [{ index: lowerCase(names.index), table: lowerCase(names.table), sql }] : []
    })
  }

  /** The statement that makes a table that rows go into, or a stand-in for it; undefined where there is no such table. */
  tableStatement(name: string): string | undefined {
    return this.tables.find((sql) => definedName(sql) === name)
  }

  /** What is said to a virtual table behind its definition. */
  settingsOf(name: string): string[] {
    return this.tables.filter((sql) => sql.startsWith(`INSERT INTO ${identifier(name)}(`))
  }

  /** Whether rows go into a stand-in for the table, whose own definition they would not pass as they are. */
  hasStandIn(name: string): boolean {
    return this.isPatched('table', name)
  }

  /** Whether the name that the dump has for a table is not the one of the table. */
  isRenamed(name: string): boolean {
    return this.schema.some(
      (sql) => sql.startsWith(`${patch}name=`) && sql.endsWith(patchedObject('table', name)),
    )
  }

  /** The statements that make the indexes of a table, but for those of its UNIQUE and PRIMARY KEY clauses. */
  indexesOf(name: string): string[] {
    return this.indexes.filter(({ table }) => table === lowerCase(name)).map(({ sql }) => sql)
  }

  /** The names of those indexes, as SQLite compares them. */
  indexNamesOf(name: string): string[] {
    return this.indexes.filter(({ table }) => table === lowerCase(name)).map(({ index }) => index)
  }

  /** Whether an index of the table does not come back by the statement that makes it. */
  hasPatchedIndex(name: string): boolean {
    return this.indexesOf(name).some((sql) => this.isPatched('index', indexIn(sql)?.index ?? ''))
  }

  private isPatched(type: 'table' | 'index', name: string): boolean {
    return this.schema.some((sql) => sql.startsWith(patch) && sql.endsWith(patchedObject(type, name)))
  }

  /** Whether a table is one of those behind a virtual table that is kept by them. */
  isShadow(name: string): boolean {
    const underscores = [...name.matchAll(/_/g)].map(({ index }) => index)
    return underscores.some((end) => indexWithoutRows(this.schema, name.slice(0, end)) === 'exact')
  }

  /** The names of views, virtual tables and indexes, as SQLite compares them; without indexes of the tables `gone`. */
  otherNames(gone: readonly string[]): Set<string> {
    const lost = new Set(gone.map(lowerCase))
    const names = this.schema.flatMap((sql) => (indexIn(sql) ? [] : (definedName(sql) ?? [])))
    const indexes = this.indexes.filter(({ table }) => !lost.has(table)).map(({ index }) => index)
    return new Set([...names.map(lowerCase), ...indexes])
  }

  /** The statements that build full-text indexes anew, each with the table or view whose content it is. */
  rebuilds(): { sql: string; content: string | undefined }[] {
    return this.schema.flatMap((create) => {
      const name = identifier(definedName(create) ?? '')
      const sql = `INSERT INTO ${name}(${name}) VALUES('rebuild');`
      return this.schema.includes(sql) ? [{ sql, content: contentTable(create) }] : []
    })
  }
}

const patch = 'UPDATE sqlite_schema SET '

function patchedObject(type: 'table' | 'index', name: string): string {
  return ` WHERE type='${type}' AND name=${textLiteral(name)};`
}

/** Whether a definition of a table or index has that keyword. */
export function hasKeyword(sql: string, word: string): boolean {
  for (const token of tokens(sql)) if (isWord(token, word)) return true
  return false
}
