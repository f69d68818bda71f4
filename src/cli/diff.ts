/** `rowback diff A [B]` */

import { type DiffItem, diff } from '../diff.ts'
import { identifier } from '../dump/literal.ts'
import { RowbackError } from '../errors.ts'
import { displayName, phrase } from '../summary.ts'
import { type CommonFlags, type Context, knownRemotes, repositoryOf } from './context.ts'
import type { Output } from './output.ts'

export interface DiffFlags extends CommonFlags {
  stat?: boolean
  sql?: boolean
  table?: string
  file?: string
}

type Row = Extract<DiffItem, { type: 'row' }>

export async function runDiff(context: Context, flags: DiffFlags, from: string, to?: string): Promise<void> {
  const { table, file } = flags
  if (file !== undefined && table === undefined)
    throw new RowbackError('usage', `diff --file ${file}: it is about --table NAME`, {
      hint: `rowback diff ${from} --file ${file} --table NAME`,
    })
  const items = diff({
    ...repositoryOf(context, flags),
    remotes: knownRemotes(context),
    from,
    to,
    table,
    file,
  })
  const { output } = context
  if (output.json) await printJson(output, items)
  else if (flags.stat) await printStat(output, items)
  else
    for await (const item of items)
      for (const line of flags.sql ? sqlLines(item) : textLines(item)) output.line(line)
}

async function printJson(output: Output, items: AsyncIterable<DiffItem>): Promise<void> {
  let separator = '{"items":[\n'
  for await (const item of items) {
    output.raw(`${separator}${JSON.stringify(item)}`)
    separator = ',\n'
  }
  output.raw(separator === ',\n' ? '\n]}\n' : `${separator}]}\n`)
}

async function printStat(output: Output, items: AsyncIterable<DiffItem>): Promise<void> {
  const tables = new Map<string, Record<Row['kind'], number>>()
  const assets = { added: 0, changed: 0, removed: 0 }
  for await (const item of items) {
    if (item.type === 'script') output.line(`${displayName(item.path)}: changed`)
    if (item.type === 'asset') assets[item.kind] += 1
    if (item.type !== 'row') continue
    const name = tableName(item)
    const counts = tables.get(name) ?? { added: 0, changed: 0, removed: 0 }
    counts[item.kind] += 1
    tables.set(name, counts)
  }
  for (const [name, counts] of tables) output.line(`${name}: ${phrase(counts, 'row')}`)
  if (phrase(assets, 'asset') !== '') output.line(phrase(assets, 'asset'))
}

function tableName({ database, table }: { database: string; table: string }): string {
  return `${displayName(database)} ${displayName(table)}`
}

const signs = { added: '+', changed: '~', removed: '-' } as const

function textLines(item: DiffItem): string[] {
  switch (item.type) {
    case 'table':
      return [`table ${tableName(item)}${item.whole ? ` (${item.whole})` : ''}`]
    case 'asset':
      return [`${signs[item.kind]} asset ${displayName(item.path)}`]
    case 'script':
      return item.patch.trimEnd().split('\n')
    case 'row':
      return [
        `${signs[item.kind]} ${item.kind === 'changed' ? changedColumns(item) : (item.after ?? item.before ?? []).map(shortened).join(', ')}`,
      ]
  }
}

/** The key and, for each column that differs, both values. */
function changedColumns(row: Row): string {
  const before = row.before ?? []
  const after = row.after ?? []
  const key = after.slice(0, keyColumns(row).length).map(shortened).join(', ')
  const columns = row.columns.flatMap((name, index) => {
    const [old, now] = [before[index] ?? 'NULL', after[index] ?? 'NULL']
    return old === now ? [] : [`${displayName(name)} ${shortened(old)} → ${shortened(now)}`]
  })
  return `${key}: ${columns.join(', ')}`
}

const longestLiteral = 120

function shortened(literal: string): string {
  return literal.length > longestLiteral ? `${literal.slice(0, longestLiteral)}…` : literal
}

function keyColumns({ key, columns }: Row): readonly string[] {
  return key === 'rowid' ? columns.slice(0, 1) : key === 'position' ? [] : key
}

/** Statements that make the older state the newer one; definitions and assets come as comments. */
function sqlLines(item: DiffItem): string[] {
  if (item.type === 'table') return [`-- table ${tableName(item)}`]
  if (item.type !== 'row') return [`-- ${item.type} ${displayName(item.path)} differs`]
  const keys = keyColumns(item)
  if (keys.length === 0) {
    throw new RowbackError(
      'usage',
      `diff --sql: rows of table ${JSON.stringify(item.table)} have no key to name them by`,
    )
  }
  const table = identifier(item.table)
  const set = (values: readonly string[], names: readonly string[], operator: string): string[] =>
    names.map(
      (name) => `${identifier(name)}${operator}${printable(values[item.columns.indexOf(name)] ?? '')}`,
    )
  if (item.kind === 'added') {
    return [
      `INSERT INTO ${table}(${item.columns.map(identifier).join(',')}) VALUES(${item.after?.map(printable).join(',')});`,
    ]
  }
  const where = set(item.before ?? [], keys, ' IS ').join(' AND ')
  if (item.kind === 'removed') return [`DELETE FROM ${table} WHERE ${where};`]
  const changed = item.columns.filter((_, index) => item.before?.[index] !== item.after?.[index])
  return [`UPDATE ${table} SET ${set(item.after ?? [], changed, '=').join(',')} WHERE ${where};`]
}

/** A literal of the same value without control characters, which a terminal would obey and the output hides. */
function printable(literal: string): string {
  return literal.replace(/\p{Cc}/gu, (found) => `'||char(${found.charCodeAt(0)})||'`)
}
