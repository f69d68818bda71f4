/** What a virtual table holds that a dump must keep, read off its definition: pure. */

import { lowerCase, trimmed } from './ascii.ts'
import { freeColumn, integerKey, type RowSource, rowidTerm } from './plan.ts'
import type { Column, Schema, SchemaObject, Table } from './schema.ts'
import { firstTokens, isWord, nameOf, tokens } from './tokens.ts'

/**
 * How a virtual table is dumped. `rows`: its content as rows, the index made anew by inserting them. `rebuild`:
 * nothing, the index is rebuilt from the table that holds the content. `exact`: its definition alone, while its
 * shadow tables are dumped as the ordinary tables that they are.
 */
export interface VirtualTable {
  object: SchemaObject
  mode: 'rows' | 'rebuild' | 'exact'
  rows: RowSource | undefined
  /** The shadow tables that replay makes by itself; none for `exact`. */
  shadows: string[]
  /** For `rebuild`: the table or view that holds the content and its rowid column. */
  content: { table: string; rowid: string } | undefined
  /** The table with the settings of an FTS5 index, to be set again. */
  config: string | undefined
}

/** A parsed `CREATE VIRTUAL TABLE … USING module(arguments)`. */
export interface VirtualDefinition {
  module: string
  arguments: string[]
}

/** In characters; no module has a use for more, and all its tokens are held at once. */
const longestDefinition = 2 ** 22

/** The module and arguments of a definition, or undefined where the text is no such statement. */
export function parseVirtual(sql: string): VirtualDefinition | undefined {
  const [create, virtual] = firstTokens(sql)
  if (!isWord(create, 'CREATE') || !isWord(virtual, 'VIRTUAL') || sql.length > longestDefinition)
    return undefined
  const all = [...tokens(sql)]
  const using = all.findIndex((token) => isWord(token, 'USING'))
  const module = nameOf(all[using + 1])
  if (using < 0 || module === undefined) return undefined
  const open = all[using + 2]
  if (open?.text !== '(') return { module: lowerCase(module), arguments: [] }
  const close = sql.lastIndexOf(')')
  const found: string[] = []
  let depth = 0
  let start = open.end
  for (const token of all.slice(using + 3)) {
    if (token.text === '(') depth += 1
    if (token.text === ')') depth -= 1
    if (token.text === ',' && depth === 0) {
      found.push(trimmed(sql.slice(start, token.start)))
      start = token.end
    }
  }
  return { module: lowerCase(module), arguments: [...found, trimmed(sql.slice(start, close))] }
}

/** The module of a full-text index over the content of another table; undefined for every other definition. */
export function moduleOverContent(sql: string): string | undefined {
  const definition = parseVirtual(sql)
  if (!definition || !/^fts[345]$/.test(definition.module)) return undefined
  return contentOptions(definition).some((value) => !/^(?:''|"")?$/.test(value))
    ? definition.module
    : undefined
}

/** The table or view whose content a full-text index is over; undefined where its definition names none. */
export function contentTable(sql: string): string | undefined {
  const definition = parseVirtual(sql)
  const [value] = definition ? contentOptions(definition) : []
  return value === undefined ? undefined : nameOf(firstTokens(value)[0])
}

function contentOptions({ arguments: options }: VirtualDefinition): string[] {
  return options.flatMap((option) => {
    const value = /^content[\t-\r ]*=(.*)$/is.exec(option)?.[1]
    return value === undefined ? [] : [trimmed(value)]
  })
}

/** What the caller knows of a virtual table from the open database. */
export interface VirtualFacts {
  /** Its columns, or undefined where it cannot be opened. */
  columns: Column[] | undefined
  /** Whether it must be dumped exactly, by setting or because replay of its content failed. */
  exact: boolean
}

/** How a virtual table of that schema is dumped. */
export function planVirtual(object: SchemaObject, schema: Schema, facts: VirtualFacts): VirtualTable {
  const definition = parseVirtual(object.sql ?? '')
  const columns = facts.columns
  if (definition && columns && !facts.exact) {
    const context = { object, definition, columns, schema }
    const found =
      definition.module === 'fts5'
        ? planFts5(context)
        : definition.module === 'fts3' || definition.module === 'fts4'
          ? planFts4(context)
          : definition.module === 'rtree' || definition.module === 'rtree_i32'
            ? planRtree(context)
            : undefined
    if (found && !hasObjectsOfUser(found, schema)) return found
  }
  return { object, mode: 'exact', rows: undefined, shadows: [], content: undefined, config: undefined }
}

/** Whether somebody has put an index or a trigger on a shadow table. */
export function hasObjectsOfUser({ shadows }: Pick<VirtualTable, 'shadows'>, { objects }: Schema): boolean {
  return objects.some(
    ({ type, tableName, sql }) => type !== 'table' && sql !== null && shadows.includes(tableName),
  )
}

interface Context {
  object: SchemaObject
  definition: VirtualDefinition
  columns: Column[]
  schema: Schema
}

const fts5Options = new Set(['tokenize', 'prefix', 'content', 'content_rowid', 'columnsize', 'detail'])
const fts4Options = new Set(['tokenize', 'prefix', 'content', 'matchinfo', 'order', 'notindexed'])

function planFts5(context: Context): VirtualTable | undefined {
  const options = readOptions(context.definition, fts5Options)
  if (!options || options.content === '') return undefined
  // Since SQLite 3.45: an older one cannot make such a table.
  if (/trigram.*remove_diacritics/is.test(options.tokenize ?? '')) return undefined
  const shadows = shadowNames(context, [
    ...['data', 'idx', 'config'],
    ...(options.content === undefined ? ['content'] : []),
    ...(options.columnsize === '0' ? [] : ['docsize']),
  ])
  const config = `${context.object.name}_config`
  if (options.content === undefined) return planContent(context, shadows, config)
  const docsize = shadows.includes(`${context.object.name}_docsize`)
  if (!docsize) return undefined
  return planRebuild(
    context,
    shadows,
    { table: options.content, rowid: options.content_rowid ?? 'rowid' },
    config,
  )
}

function planFts4(context: Context): VirtualTable | undefined {
  const options = readOptions(context.definition, fts4Options)
  if (!options || options.content === '') return undefined
  const fts4 = context.definition.module === 'fts4'
  const shadows = shadowNames(context, [
    ...['segments', 'segdir'],
    ...(options.content === undefined ? ['content'] : []),
    ...(fts4 ? ['stat'] : []),
    ...(fts4 && lowerCase(options.matchinfo ?? '') !== 'fts3' ? ['docsize'] : []),
  ])
  if (options.content === undefined) return planContent(context, shadows, undefined)
  if (!shadows.includes(`${context.object.name}_docsize`)) return undefined
  return planRebuild(context, shadows, { table: options.content, rowid: 'rowid' }, undefined)
}

/** The `name=value` arguments by name, or undefined where one is not known to be kept by a new index. */
function readOptions(
  definition: VirtualDefinition,
  known: ReadonlySet<string>,
): Record<string, string> | undefined {
  const options: Record<string, string> = {}
  for (const argument of definition.arguments) {
    const match = /^([A-Za-z_]\w*)[\t-\r ]*=(.*)$/s.exec(argument)
    if (!match) continue
    const name = lowerCase(match[1] as string)
    if (!known.has(name)) return undefined
    const value = trimmed(match[2] as string)
    options[name] = nameOf([...tokens(value)][0]) ?? value
  }
  return options
}

/** The tables that the module has made for a virtual table; others may have such names by chance. */
function shadowNames({ object, schema }: Context, endings: string[]): string[] {
  return endings
    .map((ending) => `${object.name}_${ending}`)
    .filter((name) => schema.tables.some((table) => table.object.name === name))
}

function planContent(
  context: Context,
  shadows: string[],
  config: string | undefined,
): VirtualTable | undefined {
  const { object, schema } = context
  const content = schema.tables.find((table) => table.object.name === `${object.name}_content`)
  const visible = context.columns.filter((column) => !column.hidden)
  if (
    !content ||
    content.columns.length !== visible.length + 1 ||
    content.rowidColumn !== content.columns[0]?.name ||
    visible.some(({ name }) => /^rowid$/i.test(name))
  ) {
    return undefined
  }
  return {
    object,
    mode: 'rows',
    rows: contentRows(object.name, content, visible),
    shadows,
    content: undefined,
    config,
  }
}

function contentRows(name: string, content: Table, visible: Column[]): RowSource {
  const [id, ...values] = content.columns as [Column, ...Column[]]
  return {
    table: name,
    readFrom: content.object.name,
    columns: [
      { insert: 'rowid', read: id.name, column: integerKey(id.name) },
      ...visible.map((column, index) => ({
        insert: column.name,
        read: (values[index] as Column).name,
        column: freeColumn(column.name),
      })),
    ],
    key: 'integer',
    keyColumns: 1,
    pages: true,
    orderBy: [rowidTerm(id.name)],
  }
}

function planRebuild(
  { object }: Context,
  shadows: string[],
  content: VirtualTable['content'],
  config: string | undefined,
): VirtualTable {
  return { object, mode: 'rebuild', rows: undefined, shadows, content, config }
}

function planRtree(context: Context): VirtualTable {
  const name = context.object.name
  const columns = context.columns.filter((column) => !column.hidden)
  return {
    object: context.object,
    mode: 'rows',
    rows: {
      table: name,
      readFrom: name,
      columns: columns.map((column) => ({
        insert: column.name,
        read: column.name,
        column: freeColumn(column.name),
      })),
      key: 'integer',
      keyColumns: 1,
      pages: false,
      orderBy: [rowidTerm((columns[0] as Column).name)],
    },
    shadows: shadowNames(context, ['node', 'parent', 'rowid']),
    content: undefined,
    config: undefined,
  }
}
