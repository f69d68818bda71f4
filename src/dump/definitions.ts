/** What the scripts of a dump say of its tables, to tell whether statements about single rows fit: pure. */

import { lowerCase } from './ascii.ts'
import { identifier, textLiteral } from './literal.ts'
import { indexIn, indexWithoutRows } from './one-table.ts'
import { type FollowedObject, followedObject, namesIn } from './references.ts'
import { definedName } from './script.ts'
import { isWord, tokens } from './tokens.ts'
import { contentTable, moduleOverContent, parseVirtual } from './virtual.ts'

/** A virtual table of which no rows are dumped. */
export interface VirtualIndex {
  name: string
  /** Whether it is built anew of its content, or comes back with the tables behind it. */
  mode: 'rebuilt' | 'exact'
  /**
   * What it is made of: `fts5` or `fts` the content of a table or view, `own` what is inserted and kept behind it, `other`
   * what nobody knows.
   */
  kind: 'fts5' | 'fts' | 'own' | 'other'
  /** The table or view whose content it is over. */
  content: string | undefined
}

/** The definitions of one dump. */
export class Definitions {
  private readonly tables: readonly string[]
  private readonly schema: readonly string[]
  private readonly indexes: { index: string; table: string; sql: string }[]
  private readonly objects: FollowedObject[]
  /** The tables that rows go into, as SQLite compares names. */
  private readonly tableNames: Set<string>
  private readonly reached = new Map<string, ReadonlySet<string>>()

  /** The statements of `20-tables.sql` and `40-schema.sql`, which have passed the grammar. */
  constructor(tables: readonly string[], schema: readonly string[]) {
    this.tables = tables
    this.schema = schema
    this.indexes = schema.flatMap((sql) => {
      const names = indexIn(sql)
      return names ? [{ index: lowerCase(names.index), table: lowerCase(names.table), sql }] : []
    })
    this.objects = schema.flatMap((sql) => followedObject(sql) ?? [])
    this.tableNames = new Set(tables.map((sql) => lowerCase(definedName(sql) ?? '')))
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

  /** Whether there is a table that rows go into, by a name as SQLite compares it. */
  hasTable(name: string): boolean {
    return this.tableNames.has(lowerCase(name))
  }

  /** The virtual tables of which no rows are dumped. */
  virtualIndexes(): VirtualIndex[] {
    return this.objects.flatMap(({ kind, name, sql }) => {
      if (kind !== 'virtual') return []
      const mode = this.schema.includes(rebuildStatement(name)) ? 'rebuilt' : 'exact'
      return [{ name, mode, ...madeOf(sql) }]
    })
  }

  /**
   * What the triggers of a table, or the definition of a view or virtual table, name: tables and the like, as SQLite
   * compares names, and what is named by those of them that hold no rows themselves.
   */
  reachedFrom(name: string): ReadonlySet<string> {
    const start = lowerCase(name)
    const found = this.reached.get(start) ?? this.walk(start)
    this.reached.set(start, found)
    return found
  }

  private walk(start: string): Set<string> {
    const known = new Set([...this.tableNames, ...this.objects.map(({ name }) => lowerCase(name))])
    const found = new Set<string>()
    // What is added amid the walk is walked, too.
    const owners = new Set([start])
    for (const owner of owners)
      for (const object of this.objects.filter((one) => lowerCase(one.owner) === owner))
        for (const name of namesIn(object.sql, known)) {
          found.add(name)
          if (!this.hasTable(name)) owners.add(name)
        }
    return found
  }
}

/** What builds a full-text index over the content of a table anew. */
export function rebuildStatement(index: string): string {
  return `INSERT INTO ${identifier(index)}(${identifier(index)}) VALUES('rebuild');`
}

function madeOf(sql: string): Pick<VirtualIndex, 'kind' | 'content'> {
  const { module = '' } = parseVirtual(sql) ?? {}
  const isFullText = /^fts[345]$/.test(module)
  if (moduleOverContent(sql) !== undefined)
    return { kind: module === 'fts5' ? 'fts5' : 'fts', content: contentTable(sql) }
  const isOwn = module.startsWith('rtree') || (isFullText && contentTable(sql) === undefined)
  return { kind: isOwn ? 'own' : 'other', content: undefined }
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
