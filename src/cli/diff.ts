/** `rowback diff A [B]` */

import { type DiffItem, type DiffOptions, diff } from '../diff.ts'
import { keyLength } from '../dump/manifest.ts'
import { RowbackError } from '../errors.ts'
import { excerpt, firstDifference } from '../excerpt.ts'
import { displayName, phrase } from '../summary.ts'
import { assetNote } from './asset-note.ts'
import { type CommonFlags, type Context, knownRemotes, repositoryOf } from './context.ts'
import { errorDocument, type Output, ToldError } from './output.ts'
import { whileRead } from './streams.ts'

export interface DiffFlags extends CommonFlags {
  stat?: boolean
  sql?: boolean
  table?: string
  file?: string
}

type Row = Extract<DiffItem, { type: 'row' }>
type Table = Extract<DiffItem, { type: 'table' }>

export async function runDiff(context: Context, flags: DiffFlags, from: string, to?: string): Promise<void> {
  const { table, file } = flags
  if (file !== undefined && table === undefined)
    throw new RowbackError('usage', `diff --file ${file}: it is about --table NAME`, {
      hint: `rowback diff ${from} --file ${file} --table NAME`,
    })
  const options = {
    ...repositoryOf(context, flags),
    remotes: knownRemotes(context),
    from,
    to,
    table,
    file,
  }
  const { output } = context
  if (flags.sql) return printSql(output, options)
  const items = whileRead(diff(options))
  if (output.json) await printJson(output, items)
  else if (flags.stat) await printStat(output, items)
  else for await (const item of items) for (const line of textLines(item)) output.line(line)
}

async function printSql(output: Output, options: DiffOptions): Promise<void> {
  const { diffSql } = await import('../diff-sql.ts')
  for await (const line of whileRead(diffSql(options))) output.line(line)
}

/** One document, also where an error ends it: that stands behind the items then. */
async function printJson(output: Output, items: AsyncIterable<DiffItem>): Promise<void> {
  const start = '{"items":[\n'
  let separator = start
  try {
    for await (const item of items) {
      output.raw(`${separator}${JSON.stringify(item)}`)
      separator = ',\n'
    }
  } catch (cause) {
    if (separator === start) throw cause
    output.raw(`\n],${JSON.stringify(errorDocument(cause)).slice(1)}\n`)
    throw new ToldError('the error is in the document', { cause })
  }
  output.raw(separator === start ? `${start}]}\n` : '\n]}\n')
}

async function printStat(output: Output, items: AsyncIterable<DiffItem>): Promise<void> {
  const tables: { start: Table; counts: Record<Row['kind'], number> }[] = []
  const assets = { added: 0, changed: 0, removed: 0 }
  const lines = { added: 0, changed: 0, removed: 0 }
  for await (const item of items) {
    if (item.type === 'script') output.line(`${displayName(item.path)}: changed`)
    if (item.type === 'asset') (item.manifestOnly ? lines : assets)[item.kind] += 1
    if (item.type === 'table') tables.push({ start: item, counts: { added: 0, changed: 0, removed: 0 } })
    const counts = tables.at(-1)?.counts
    if (item.type === 'row' && counts) counts[item.kind] += 1
  }
  for (const { start, counts } of tables)
    output.line(
      `${tableName(start)}: ${start.reordered ? reordered : phrase(counts, 'row')}${columnNote(start)}`,
    )
  if (phrase(assets, 'asset') !== '') output.line(phrase(assets, 'asset'))
  if (phrase(lines, 'line') !== '') output.line(`asset manifest: ${phrase(lines, 'line')}`)
}

const reordered = 'rows in another order'

function tableName({ database, table }: { database: string; table: string }): string {
  return `${displayName(database)} ${displayName(table)}`
}

const signs = { added: '+', changed: '~', removed: '-' } as const

function textLines(item: DiffItem): string[] {
  switch (item.type) {
    case 'table':
      return [tableLine(item)]
    case 'asset':
      return [`${signs[item.kind]} asset ${displayName(item.path)}${assetNote(item)}`]
    case 'script':
      return item.patch.trimEnd().split('\n')
    case 'row':
      if (item.kind === 'changed') return changedLine(item)
      return [`${signs[item.kind]} ${(item.after ?? item.before ?? []).map(shortened).join(', ')}`]
  }
}

function tableLine(item: Table): string {
  const line = `table ${tableName(item)}`
  if (item.reordered) return `${line}: ${reordered}`
  return `${line}${item.whole ? ` (${item.whole})` : ''}${columnNote(item)}`
}

/** What became of the columns of a table; nothing where they are the same. */
function columnNote({ columns }: Table): string {
  if (!columns) return ''
  const { before, after } = columns
  const parts = [
    { names: lacking(after, before), what: 'added' },
    { names: lacking(before, after), what: 'dropped' },
  ].filter(({ names }) => names.length > 0)
  if (parts.length === 0) return ' (columns in another order)'
  return ` (columns: ${parts.map(({ names, what }) => `${names.map(displayName).join(', ')} ${what}`).join('; ')})`
}

function lacking(names: readonly string[], others: readonly string[]): string[] {
  const known = new Set(others)
  return names.filter((name) => !known.has(name))
}

/** The key and, for each column of both sides that differs, both values; no line where none does. */
function changedLine(row: Row): string[] {
  const before = olderValues(row)
  const after = row.after ?? []
  const columns = row.columns.flatMap((name, index) => {
    const [old, now] = [before[index], after[index]]
    if (old === undefined || now === undefined || old === now) return []
    return [`${displayName(name)} ${excerpts(old, now).join(' → ')}`]
  })
  const key = after.slice(0, keyLength(row.key)).map(shortened).join(', ')
  return columns.length === 0 ? [] : [`${signs.changed} ${key}: ${columns.join(', ')}`]
}

/** What the older row has in the columns of the newer one; undefined where it has no such column. */
function olderValues({ columns, columnsBefore, before = [] }: Row): readonly (string | undefined)[] {
  if (!columnsBefore) return before
  const values = new Map(columnsBefore.map((name, index) => [name, before[index]]))
  return columns.map((name) => values.get(name))
}

const lengths = { longest: 120, head: 40, context: 20 }

function shortened(literal: string): string {
  return literal.length > lengths.longest ? `${literal.slice(0, lengths.longest)}…` : literal
}

function excerpts(old: string, now: string): string[] {
  const differsAt = firstDifference(old, now)
  return [old, now].map((literal) => excerpt(literal, differsAt, lengths))
}
