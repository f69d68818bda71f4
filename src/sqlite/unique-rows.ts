/**
 * Which tables may have rows that are equal in a unique index since the last backup, told by the pages that changed. Each row
 * on such a page of the table, and each that such a page of the index names, must have its own entry in the index;
 * and both have as many.
 */

import type { Database } from 'better-sqlite3'
import { identifier } from '../dump/literal.ts'
import type { RowSource } from '../dump/plan.ts'
import { type TreePages, wholeLeaf } from '../dump/reuse.ts'
import { cellCount, cellPayload, cellRowid, headerStart, lastInteger, pageType } from './btree.ts'
import { type UniqueIndex, uniqueIndexes } from './integrity.ts'
import type { Pages } from './pages.ts'
import { wholeRecord } from './row-key.ts'
import { isSqliteError } from './sqlite-error.ts'

/** The trees of a table and of its indexes, by their names, and which of their pages are as they were. */
export interface ChangedTrees {
  source: RowSource
  tree: TreePages
  indexes: ReadonlyMap<string, TreePages>
  isSame: (page: number) => boolean
}

/** To look a row up takes so many times as long as to read it in passing, and to sort it. */
const lookupCost = 8

/**
 * Whether rows of a table with rowids may be equal in one of its unique indexes; they may where an index cannot be read. Those on
 * expressions, or on some rows, are left out.
 */
export function mayHaveEqualRows(db: Database, pages: Pages, changed: ChangedTrees): boolean {
  try {
    return isUnsure(db, pages, changed)
  } catch (error) {
    if (error instanceof RangeError) return true
    throw error
  }
}

function isUnsure(db: Database, pages: Pages, changed: ChangedTrees): boolean {
  const { source, tree, indexes, isSame } = changed
  if (source.key !== 'integer' || source.hiddenRowid !== undefined) return false
  let ofTable: bigint[] | undefined
  for (const index of uniqueIndexes(db, source.readFrom)) {
    const entries = indexes.get(index.name)
    if (!entries || index.columns.some(({ name }) => name === null) || index.partial === 1) continue
    const all = count(tree)
    if (count(entries) !== all) return true
    const lookups = count(tree, isSame) + count(entries, isSame)
    if (lookups > 0 && lookups * lookupCost > all) return true
    ofTable ??= changedRowids(pages, tree, isSame)
    if (lacksEntry(db, source, index, [...ofTable, ...changedRowids(pages, entries, isSame)])) return true
  }
  return false
}

/** How many rows a tree has, without those on pages that are as they were. */
function count({ pages, rows }: TreePages, isSame: (page: number) => boolean = () => false): number {
  return rows.reduce((sum, each, index) => (isSame(pages[index] as number) ? sum : sum + each), 0)
}

/** The rowids on the changed pages of a table, or of one of its indexes, where they end each record. */
function changedRowids(
  pages: Pages,
  { pages: numbers, cells }: TreePages,
  isSame: (page: number) => boolean,
): bigint[] {
  const found: bigint[] = []
  numbers.forEach((page, index) => {
    if (isSame(page)) return
    const bytes = pages.read(page)
    const start = headerStart(page)
    const only = cells[index] as number
    const [from, to] = only === wholeLeaf ? [0, cellCount(bytes, start)] : [only, only + 1]
    for (let cell = from; cell < to; cell++)
      found.push(
        bytes[start] === pageType.leafTable
          ? cellRowid(bytes, start, cell)
          : lastInteger(wholeRecord(pages, cellPayload(bytes, start, cell, pages.usable))),
      )
  })
  return found
}

/** Whether one of those rows has no entry of its own in an index; rows with NULL are equal to no other. */
function lacksEntry(db: Database, source: RowSource, index: UniqueIndex, rowids: readonly bigint[]): boolean {
  const rowid = identifier(source.columns[0]?.read as string)
  const table = `main.${identifier(source.readFrom)}`
  const columns = index.columns.map(
    ({ name, coll }) => [identifier(name as string), identifier(coll)] as const,
  )
  const given = columns.map(([name]) => `t.${name} IS NOT NULL`)
  const same = columns.map(([name, collation]) => `i.${name}=t.${name} COLLATE ${collation}`)
  const sql = `SELECT 1 FROM json_each(?) AS asked
    CROSS JOIN ${table} AS t NOT INDEXED ON t.${rowid}=asked.value
    WHERE ${given.join(' AND ')} AND NOT EXISTS (SELECT 1 FROM ${table} AS i INDEXED BY ${identifier(index.name)}
      WHERE ${same.join(' AND ')} AND i.${rowid}=t.${rowid}) LIMIT 1`
  try {
    return db.prepare(sql).get(`[${BigInt64Array.from(rowids).sort().join(',')}]`) !== undefined
  } catch (error) {
    // A collation that is not there: the dump names the object.
    if (isSqliteError(error) && error.code.startsWith('SQLITE_ERROR')) return false
    throw error
  }
}
