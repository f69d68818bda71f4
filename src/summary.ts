/** What a commit changed, in numbers and in words: the commit message. */

import { assetChanges } from './asset-changes.ts'
import type { Settings } from './config/settings.ts'
import { rowTotal } from './dump/manifest.ts'
import { type TreeEntry, treeChanges } from './git/tree.ts'
import type { ReadBlob } from './match-rows.ts'
import { nounFor } from './number.ts'
import { type TableChange, type TreeSide, tableChanges } from './row-changes.ts'

export interface TableSummary {
  database: string
  table: string
  added: number
  changed: number
  removed: number
}

export interface AssetSummary {
  added: number
  changed: number
  removed: number
}

export interface Summary {
  tables: TableSummary[]
  assets: AssetSummary
  /** Whether a definition or a setting of a database file differs. */
  schemaChanged: boolean
  /** Row and asset counts of the whole commit. */
  rows: number
  files: number
}

/** Compares a tree with the one before it. */
export async function summarize(
  before: TreeSide | undefined,
  after: TreeSide,
  read: ReadBlob,
): Promise<Summary> {
  const old = before?.entries ?? new Map<string, TreeEntry>()
  const { added, changed, removed } = treeChanges(old, after.entries)
  const count = (entries: TreeEntry[], pattern: RegExp): number =>
    entries.filter(({ path }) => pattern.test(path)).length
  const tables = await summarizeTables(tableChanges(before, after, read))
  const assets = assetChanges(old, after.entries)
  return {
    tables,
    assets: { added: assets.added.length, changed: assets.changed.length, removed: assets.removed.length },
    schemaChanged: count([...added, ...changed, ...removed], tables.length > 0 ? definition : script) > 0,
    rows: rowTotal(after.manifest),
    files: after.manifest.assets.files,
  }
}

const definition = /^databases\/[^/]+\/(?:10-open|20-tables|40-schema)\.sql$/
/** With 90-close.sql, whose sequences and statistics follow the rows: it says something where no row differs. */
const script = /^databases\/[^/]+\/[^/]+\.sql$/

/** Counts the rows of each changed table; a table that is new or gone is counted by its manifest. */
async function summarizeTables(changes: Iterable<TableChange>): Promise<TableSummary[]> {
  const tables: TableSummary[] = []
  for (const { database, table, whole, rows, changes: rowChanges } of changes) {
    const counts = { added: 0, changed: 0, removed: 0 }
    if (whole) counts[whole] = rows
    else for await (const list of rowChanges) for (const { kind } of list) counts[kind] += 1
    if (counts.added + counts.changed + counts.removed > 0) tables.push({ database, table, ...counts })
  }
  return tables
}

/** The facts of a commit that its trailers hold. */
export interface CommitFacts {
  /** The application, in the subject. */
  name: string
  /** The file name of a source that is one file; what restore calls it. */
  sourceFile: string | undefined
  first: boolean
  version: string
  format: number
  verify: VerifyPolicy
  /** How many files and directories could not be read, and how many files did not stop changing. */
  unreadable: number
  unstable: number
}

/** Which commits are to be proved, and whether this one is. */
export interface VerifyPolicy {
  mode: Settings['verify']
  applies: boolean
}

/** The whole message of a commit: subject, a line a table, trailers. */
export function commitMessage(summary: Summary, facts: CommitFacts): string {
  const lines = facts.first ? [] : tableLines(summary)
  return `${[[subject(summary, facts)], lines, trailers(summary, facts)]
    .filter((part) => part.length > 0)
    .map((part) => part.join('\n'))
    .join('\n\n')}\n`
}

function subject(summary: Summary, facts: CommitFacts): string {
  const partial = facts.unreadable === 0 ? '' : `; partial, ${facts.unreadable} unreadable`
  return `${facts.name}: ${changesText(summary, facts)}${partial}`
}

function changesText(summary: Summary, { first }: CommitFacts): string {
  if (first) return `first backup, ${plainly(summary.rows, 'row')}, ${plainly(summary.files, 'asset')}`
  const total = { added: 0, changed: 0, removed: 0 }
  for (const table of summary.tables) for (const kind of kinds) total[kind] += table[kind]
  const rows = phrase(total, 'row')
  const assets = phrase(summary.assets, 'asset')
  const parts = [rows, assets].filter((part) => part !== '')
  if (parts.length === 0)
    parts.push(summary.schemaChanged ? 'schema or settings changed' : 'manifest changed')
  else if (summary.schemaChanged) parts.push('schema or settings changed')
  return parts.join('; ')
}

const kinds = ['added', 'changed', 'removed'] as const

/** `12 rows added, 3 changed, 1 removed`, without the zeros; empty where nothing changed. */
export function phrase(counts: Record<(typeof kinds)[number], number>, noun: string): string {
  const [first, ...rest] = kinds.filter((kind) => counts[kind] > 0)
  if (first === undefined) return ''
  return [`${plainly(counts[first], noun)} ${first}`, ...rest.map((kind) => `${counts[kind]} ${kind}`)].join(
    ', ',
  )
}

/** `1 row`, `7134 rows`: the texts of commits are for good, and have no separators. */
function plainly(count: number, noun: string): string {
  return `${count} ${nounFor(count, noun)}`
}

/** `bookmarks: 12 added, 1 removed` for each changed table, with the database where there are several. */
export function tableLines({ tables }: Summary): string[] {
  const several = new Set(tables.map(({ database }) => database)).size > 1
  return tables.map((table) => {
    const name = several
      ? `${displayName(table.database)} ${displayName(table.table)}`
      : displayName(table.table)
    const counts = kinds.filter((kind) => table[kind] > 0).map((kind) => `${table[kind]} ${kind}`)
    return `${name}: ${counts.join(', ')}`
  })
}

/** A name as it is, or in JSON quotes where it holds more than letters, digits and harmless signs. */
export function displayName(name: string): string {
  return /^[\p{L}\p{N}_.%~/+-]+(?: [\p{L}\p{N}_.%~/+-]+)*$/u.test(name) ? name : JSON.stringify(name)
}

function trailers(summary: Summary, facts: CommitFacts): string[] {
  const rows = { added: 0, changed: 0, removed: 0 }
  for (const table of summary.tables) for (const kind of kinds) rows[kind] += table[kind]
  return [
    `Rowback-Format: ${facts.format}`,
    `Rowback-Version: ${facts.version}`,
    ...(facts.sourceFile === undefined ? [] : [`Rowback-Source: ${JSON.stringify(facts.sourceFile)}`]),
    `Rowback-Rows: ${summary.rows} +${rows.added} ~${rows.changed} -${rows.removed}`,
    `Rowback-Assets: ${summary.files} +${summary.assets.added} ~${summary.assets.changed} -${summary.assets.removed}`,
    `Rowback-Verify: ${facts.verify.applies ? 'yes' : 'no'} ${facts.verify.mode}`,
    ...(facts.unreadable === 0 ? [] : [`Rowback-Partial: ${facts.unreadable}`]),
    ...(facts.unstable === 0 ? [] : [`Rowback-Unstable: ${facts.unstable}`]),
  ]
}
