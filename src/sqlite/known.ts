/** What a backup remembers of a database's pages, and what the next one need not render because of it. */

import { releaseArrays } from '../buffers.ts'
import { type KnownTable, planSteps, type RowSpan, type Step, type TreePages } from '../dump/reuse.ts'
import type { SchemaObject } from '../dump/schema.ts'
import type { TableStep, TableWork } from './dump-rows.ts'
import {
  OddPages,
  type PageScan,
  refuseDisorder,
  refuseStrayPages,
  releaseTrees,
  reservedPages,
  samePages,
  scanPages,
  TreeWalker,
} from './page-scan.ts'
import type { Pages } from './pages.ts'
import { type PlannedDump, rowSources } from './plan-dump.ts'
import { hasPages, type RowRange } from './render.ts'
import { keyLiterals } from './row-key.ts'
import type { ChangedTrees } from './unique-rows.ts'

/** A database as a backup dumped it. */
export interface KnownDatabase {
  pageSize: number
  /** XXH64 of each page; the first element stands for no page. */
  digests: BigUint64Array
  /** By name. */
  tables: Map<string, KnownTable & Definition>
}

/** What the rows of a table, and whether they may be equal in an index, depend on beside its pages. */
interface Definition {
  facts: string
  indexes: string
}

/** The pages of a snapshot that is being dumped. */
export interface PageFacts {
  pages: Pages
  scan: PageScan
  /** A `pageUse` of each page, as far as it is known. */
  uses: Uint8Array
  /** By the name of the table that is dumped. */
  trees: Map<string, TreePages & Definition & { isTable: boolean }>
  /** The roots of all other trees, and whose they are: indexes, tables that are not dumped, the schema. */
  otherRoots: Map<number, string>
}

/** Reads the pages that the rows of a planned dump lie in; undefined if they are not what the format describes. */
export async function readPageFacts(
  pages: Pages,
  planned: PlannedDump,
  sqliteVersion: string,
): Promise<PageFacts | undefined> {
  try {
    const scan = await scanPages(pages)
    const uses = reservedPages(pages)
    const walker = new TreeWalker(pages, scan, uses)
    const trees: PageFacts['trees'] = new Map()
    const { objects } = planned.schema
    const tables = new Map(
      objects.filter(({ type }) => type === 'table').map((object) => [object.name, object]),
    )
    const indexesOf = indexesByTable(objects)
    const otherRoots = new Map([[1, 'sqlite_schema']])
    for (const { rootPage, name } of objects) if (rootPage > 0) otherRoots.set(rootPage, name)
    for (const source of rowSources(planned)) {
      const object = tables.get(source.readFrom)
      // A virtual table has no pages; what it gives may depend on anything.
      if (!object || object.rootPage === 0) continue
      const facts = JSON.stringify([sqliteVersion, planned.plan.settings.encoding, source, object.sql])
      const isTable = source.key !== 'literals'
      const indexes = JSON.stringify(indexesOf.get(object.name) ?? [])
      otherRoots.delete(object.rootPage)
      trees.set(source.table, { ...walker.walk(object.rootPage), facts, indexes, isTable })
    }
    walker.end()
    return { pages, scan, uses, trees, otherRoots }
  } catch (error) {
    if (error instanceof OddPages || error instanceof RangeError) return undefined
    throw error
  }
}

/** Names and definitions of indexes, by the name of their table. */
function indexesByTable(objects: readonly SchemaObject[]): Map<string, [string, string | null][]> {
  const found = new Map<string, [string, string | null][]>()
  for (const { type, name, tableName, sql } of objects) {
    if (type !== 'index') continue
    const list = found.get(tableName)
    if (list) list.push([name, sql])
    else found.set(tableName, [[name, sql]])
  }
  return found
}

/** What is to be done since the last backup. */
export interface Changes {
  works: TableWork[]
  /** Where rows may be equal in a unique index now. */
  trees: ChangedTrees[]
  /** The trees of `PageFacts.otherRoots`. */
  indexes: ReadonlyMap<string, TreePages>
  /** As `samePages` has it. */
  same: Uint8Array
}

/** Gives the memory of what tells rows apart back: of each page 1 byte, and 8 of each that is an index's. */
export function releaseTreesOf({ indexes, same }: Changes): void {
  releaseTrees(indexes.values())
  releaseArrays([same])
}

/**
 * What is to be done for each table, as it is known from the last backup; undefined where all is to be read and
 * checked: nothing is known, or changed pages are not what SQLite makes of them.
 */
export function changesSince(
  planned: PlannedDump,
  facts: PageFacts | undefined,
  known: KnownDatabase | undefined,
): Changes | undefined {
  if (!facts || !known || known.pageSize !== facts.pages.pageSize) return undefined
  try {
    const { pages, scan, uses, otherRoots } = facts
    const walker = new TreeWalker(pages, scan, uses)
    const indexes = new Map([...otherRoots].map(([root, name]) => [name, walker.walk(root)]))
    walker.end()
    const same = samePages(scan, known.digests, uses)
    const isSame = (page: number): boolean => same[page] === 1
    refuseStrayPages(pages, uses)
    for (const tree of facts.trees.values()) if (tree.isTable) refuseDisorder(pages, tree, isSame)
    const sources = rowSources(planned)
    const works = sources.map((source) => ({ source, steps: stepsOf(source, planned, facts, known, isSame) }))
    const trees = sources.flatMap((source) => {
      const tree = facts.trees.get(source.table)
      return tree ? [{ source, tree, indexes, isSame }] : []
    })
    return { works, trees, indexes, same }
  } catch (error) {
    if (error instanceof OddPages || error instanceof RangeError) return undefined
    throw error
  }
}

/** The tables that have another definition or other indexes than they had: others keep rows apart that must be. */
export function redefinedTables({ trees }: PageFacts, { tables }: KnownDatabase): string[] {
  return [...trees].flatMap(([table, now]) => {
    const before = tables.get(table)
    return before?.facts === now.facts && before.indexes === now.indexes ? [] : [table]
  })
}

function stepsOf(
  source: TableWork['source'],
  { plan }: PlannedDump,
  { pages, trees }: PageFacts,
  { tables }: KnownDatabase,
  isSame: (page: number) => boolean,
): TableStep[] | undefined {
  const [before, now] = [tables.get(source.table), trees.get(source.table)]
  if (!before || !now || before.facts !== now.facts) return undefined
  const steps = planSteps(before, now, isSame)
  if (!hasPages(source, plan.settings.encoding) && steps?.some((step) => 'rows' in step)) return undefined
  return steps?.map((step) => withKeys(step, (place) => keyLiterals(pages, place, source)))
}

function withKeys(step: Step, keyOf: (place: RowSpan['last']) => string[]): TableStep {
  if ('kept' in step) return step
  const { first, last, before, count } = step.rows
  const rows: RowRange = { from: first && keyOf(first), before, count }
  return { rows, path: step.path, lastKey: keyOf(last) }
}

/** Gives the memory of what was known back: of each page 20 bytes, and as much again of the file that held it. */
export function forget({ digests, tables }: KnownDatabase): void {
  releaseTrees([...tables.values()].map(({ tree }) => tree))
  releaseArrays([digests])
}

/** What is to be remembered of the pages of a snapshot. */
export type SeenPages = Pick<KnownDatabase, 'pageSize' | 'digests'> & Pick<PageFacts, 'trees'>

/** Takes that out of the facts, and gives the memory of all else back: of each page 9 bytes. */
export function takeSeenPages({ pages: { pageSize }, scan, uses, trees }: PageFacts): SeenPages {
  const { digests, types, cells, next } = scan
  releaseArrays([types, cells, next, uses])
  return { pageSize, digests, trees }
}

/** What is to be remembered of a database, by the chunks of its tables. */
export function knownDatabase(
  { pageSize, digests, trees }: SeenPages,
  chunks: ReadonlyMap<string, KnownTable['chunks']>,
): KnownDatabase {
  const tables: KnownDatabase['tables'] = new Map()
  for (const [table, { facts, indexes, isTable: _, ...tree }] of trees) {
    const found = chunks.get(table)
    if (found) tables.set(table, { tree, facts, indexes, chunks: found })
  }
  return { pageSize, digests, tables }
}
