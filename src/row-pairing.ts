/** By which columns the rows of two sides are matched, also where the table has another key on each: pure. */

import type { TableKey } from './dump/manifest.ts'

/** The columns of a table on the two sides, in the order of its row files. */
export interface ColumnsChange {
  before: readonly string[]
  after: readonly string[]
}

/** What is the same in two rows that are matched: the rowid, all of the row, or the values of these columns of each side. */
export type Pairing = 'rowid' | 'position' | ColumnsChange

/**
 * By its key, also where columns of that have other names now. Where another key is declared, by the columns of both keys
 * that both sides have, or no two rows could be told to be the same; where these make up neither key, by all columns that
 * both sides have. `columns` is undefined where they are the same.
 */
export function pairingOf(old: TableKey, now: TableKey, columns: ColumnsChange | undefined): Pairing {
  if (!columns && typeof now === 'string' && old === now) return now
  const before = keyColumns(old, columns?.before)
  const after = keyColumns(now, columns?.after)
  if (isSameKey(before, after, columns)) return old === 'rowid' && now === 'rowid' ? now : { before, after }
  const isShared = (name: string): boolean =>
    !columns || (columns.before.includes(name) && columns.after.includes(name))
  const shared = [...new Set([...after, ...before])].filter(isShared)
  const isWhole = [before, after].some((key) => key.length > 0 && key.every((name) => shared.includes(name)))
  const names = isWhole ? shared : (columns?.after.filter(isShared) ?? [])
  return names.length > 0 ? { before: names, after: names } : 'position'
}

/** Empty where no column is the key, or where it has no name that is known. */
function keyColumns(key: TableKey, columns: readonly string[] = []): readonly string[] {
  if (key === 'rowid') return columns.slice(0, 1)
  return key === 'position' ? [] : key
}

/** Whether each column of a key is that of the other one, or may be: each side lacks the name that the other one has. */
function isSameKey(
  before: readonly string[],
  after: readonly string[],
  columns: ColumnsChange | undefined,
): boolean {
  if (before.length === 0 || before.length !== after.length) return false
  return before.every((name, index) => {
    const other = after[index] as string
    return name === other || (columns && !columns.after.includes(name) && !columns.before.includes(other))
  })
}
